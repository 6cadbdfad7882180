/** Words for generated names: short, plain, and safe to read aloud. */
const ADJECTIVES = words(`able amber ample autumn bold brave breezy bright brisk calm candid careful
  cheerful chilly clever cosmic crisp curious daring dusty eager early easy fair fearless fluffy fond
  fresh friendly frosty gentle giant glad golden grand green happy hardy honest humble jolly keen
  kind lively lone loyal lucky mellow merry mighty misty modest neat nimble noble patient plucky
  polite proud quick quiet rapid ready rosy rustic shiny silent silver simple sleek smart snowy
  solid spry steady still sturdy sunny sweet swift tidy tiny upbeat vivid warm wise witty young
  zesty`);

const ANIMALS = words(`alpaca ant badger bat bear beaver bee beetle bison boar bobcat camel caribou
  cat cheetah cobra condor cougar coyote crab crane cricket crow deer dingo dolphin donkey dove duck
  eagle eel egret elk falcon ferret finch firefly fox frog gazelle gecko gibbon goose gull hare hawk
  hedgehog heron hippo horse ibex impala jackal jaguar kiwi koala lark lemur lion llama lobster lynx
  magpie marmot marten meerkat mole moose moth mouse newt octopus orca otter owl panda panther
  parrot pelican penguin pigeon puffin puma quail rabbit raccoon raven robin salmon seal shark
  shrimp skunk sloth snail sparrow spider squid stork swan tapir tiger toad trout turtle viper
  walrus wasp weasel whale wolf wombat wren yak zebra`);

function words(text: string): readonly string[] {
  return text.split(/\s+/);
}

/** `<adjective>-<animal>`; `pick(n)` is a number from 0 up to, not including, `n`. */
export function generateName(pick: (bound: number) => number): string {
  const adjective = ADJECTIVES[pick(ADJECTIVES.length)] ?? ADJECTIVES[0];
  const animal = ANIMALS[pick(ANIMALS.length)] ?? ANIMALS[0];
  return `${adjective}-${animal}`;
}

/** `<base>-<k>` with the lowest free `k` from 1: names of runs. */
export function numberedName(base: string, isTaken: (name: string) => boolean): string {
  let k = 1;
  while (isTaken(`${base}-${k}`)) k += 1;
  return `${base}-${k}`;
}
