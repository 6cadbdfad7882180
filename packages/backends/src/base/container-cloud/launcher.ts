/**
 * The program that a container of a container cloud runs first: it fetches the agent, checks it and starts it.
 * The image of a job need not have more than `sh`, the usual small tools, and one program that can fetch a file.
 */
import { TAGS_VARIABLES } from './tags.ts';

/** Names of the only variables that the launcher needs. The environment of the job lacks them. */
export const LAUNCHER_VARIABLES = {
  /** Where the agent is; with `.gz` at its end, the same compressed. */
  url: 'DSTACK_AGENT_URL',
  /** SHA-256 of what is there, uncompressed. */
  sha256: 'DSTACK_AGENT_SHA256',
  /** Token of the agent of this container. */
  token: 'DSTACK_AGENT_TOKEN',
} as const;

/** Before its reasons, in the output of the container. */
export const LAUNCHER_PREFIX = 'dstack: ';

/** Exit code where another attempt cannot succeed. */
const HOPELESS = 78;

const PYTHON_FETCH = `
import shutil, sys, urllib.request
with urllib.request.urlopen(sys.argv[1], timeout=60) as answer, open(sys.argv[2], "wb") as file:
    shutil.copyfileobj(answer, file)
`;

const PYTHON_GUNZIP = `
import gzip, shutil, sys
with gzip.open(sys.argv[1]) as packed, open(sys.argv[2], "wb") as file:
    shutil.copyfileobj(packed, file)
`;

const NODE_FETCH = `
const [url, file] = process.argv.slice(1);
const fail = (why) => { console.error(why); process.exit(1); };
require(url.startsWith("https:") ? "https" : "http").get(url, (answer) => {
  if (answer.statusCode !== 200) fail("HTTP " + answer.statusCode);
  answer.pipe(require("fs").createWriteStream(file)).on("error", fail).on("finish", () => process.exit(0));
}).on("error", (error) => fail(error.message));
`;

const NODE_HASH = `
const hash = require("crypto").createHash("sha256");
require("fs").createReadStream(process.argv[1]).pipe(hash).on("finish", () => console.log(hash.digest("hex")));
`;

/** Without TLS, so only for mirrors. HTTP/1.0: the answer ends with the connection. */
const BASH_FETCH = `
rest=\${1#http://} host=\${1#http://} port=80
host=\${host%%/*}
path=/\${rest#*/}
case $host in *:*) port=\${host##*:}; host=\${host%:*} ;; esac
exec 3<>"/dev/tcp/$host/$port" || exit 1
printf 'GET %s HTTP/1.0\\r\\nHost: %s\\r\\n\\r\\n' "$path" "$host" >&3
IFS= read -r line <&3
case $line in *" 200"*) ;; *) echo "$line" >&2; exit 1 ;; esac
while IFS= read -r line <&3 && [ "$line" != $'\\r' ]; do :; done
cat <&3 > "$2"
`;

/**
 * Arguments: the URL for the agent's connections to the server, and the server's id. It stays the first
 * process of the container, so that it reaps what a job leaves.
 */
export const CONTAINER_LAUNCHER = `
mask=$(umask)
umask 077
url=$DSTACK_AGENT_URL sha256=$DSTACK_AGENT_SHA256 token=$DSTACK_AGENT_TOKEN dial=$1 server=$2
# The rest of the URL is secret, and providers show what containers print.
from=\${url%/*}
unset DSTACK_AGENT_URL DSTACK_AGENT_SHA256 DSTACK_AGENT_TOKEN ${TAGS_VARIABLES.join(' ')}
say() { echo "${LAUNCHER_PREFIX}$*" >&2; }
has() { command -v "$1" >/dev/null 2>&1; }
give_up() { say "$*"; exit ${HOPELESS}; }

for root in /dstack /tmp/dstack-agent; do
  mkdir -p "$root" 2>/dev/null && [ -w "$root" ] && break
  root=
done
[ -n "$root" ] || give_up 'no folder of the container can be written to'
for tool in head tail mkdir chmod rm mv sleep; do
  has "$tool" || give_up "the image has no $tool, which is needed to start the agent"
done

fetch() {
  can=
  if has curl; then can=1; curl -fsSL --connect-timeout 30 -o "$2" "$1" && return 0; fi
  if has wget; then can=1; wget -q -O "$2" "$1" && return 0; fi
  if has python3; then can=1; python3 -c '${PYTHON_FETCH}' "$1" "$2" && return 0; fi
  if has perl && perl -MHTTP::Tiny -e 1 2>/dev/null; then
    can=1; rm -f "$2"
    perl -MHTTP::Tiny -e 'my $r = HTTP::Tiny->new(verify_SSL => 1)->mirror(@ARGV); print STDERR "$r->{status} $r->{reason}\\n" unless $r->{success}; exit !$r->{success}' "$1" "$2" && return 0
  fi
  if has node; then can=1; node -e '${NODE_FETCH}' "$1" "$2" && return 0; fi
  case $1 in http:*) if has bash; then can=1; bash -c '${BASH_FETCH.replaceAll("'", `'\\''`)}' bash "$1" "$2" && return 0; fi ;; esac
  [ -n "$can" ] || give_up 'the image has none of curl, wget, python3, perl and node to fetch the agent with (bash can, from a mirror with plain HTTP: DSTACK_AGENT_URL)'
  return 1
}

hash_of() {
  if has sha256sum; then set -- "$(sha256sum "$1")"
  elif has openssl; then set -- "$(openssl dgst -sha256 -r "$1")"
  elif has python3; then set -- "$(python3 -c 'import hashlib, sys; print(hashlib.sha256(open(sys.argv[1], "rb").read()).hexdigest())' "$1")"
  elif has perl && perl -MDigest::SHA -e 1 2>/dev/null; then set -- "$(perl -MDigest::SHA -e 'print Digest::SHA->new(256)->addfile($ARGV[0], "b")->hexdigest' "$1")"
  elif has node; then set -- "$(node -e '${NODE_HASH}' "$1")"
  else give_up 'the image has none of sha256sum, openssl, python3, perl and node to check the agent with'
  fi
  echo "\${1%% *}"
}

gunzips() {
  if has gunzip; then gunzip -c "$1" > "$2"
  elif has gzip; then gzip -dc "$1" > "$2"
  else python3 -c '${PYTHON_GUNZIP}' "$1" "$2"
  fi
}

get() {
  rm -rf "$root/parts" "$root/packed" "$root/program"
  if has gunzip || has gzip || has python3; then
    fetch "$url.gz" "$root/packed" && gunzips "$root/packed" "$root/program" || return 1
    rm -f "$root/packed"
  else
    fetch "$url" "$root/program" || return 1
  fi
  found=$(hash_of "$root/program") || exit ${HOPELESS}
  [ "$found" = "$sha256" ] && return 0
  say "what $from answers is not the agent: its SHA-256 is $found"
  return 1
}

keyed() { printf %s "$token$1" > "$root/keyed"; hash_of "$root/keyed"; rm -f "$root/keyed"; }
# A server that was upgraded since the order has another agent. It proves by the token that it is the server.
renew() {
  case $dial in wss:*) home=https:\${dial#wss:} ;; *) home=http:\${dial#ws:} ;; esac
  (fetch "\${home%/agents/dial/*}/agents/program/\${url##*/}/\${dial##*/}" "$root/now") 2>/dev/null || return 0
  read -r name hash proof < "$root/now"
  [ "$proof" = "$(keyed "$(keyed "$name $hash")")" ] && url=\${url%/*}/$name sha256=$hash
}

unpack() {
  mkdir -p "$root/parts/lib" "$root/parts/agent"
  {
    read -r count
    while [ "$count" -gt 0 ]; do
      read -r offset size name
      tail -c "+$((offset + 1))" "$root/program" | head -c "$size" > "$root/parts/$name"
      count=$((count - 1))
    done
  } < "$root/program"
  chmod -R go+rX "$root/parts"
  chmod 755 "$root/parts/node" "$root/parts/lib"/*
  rm -rf "$root/lib" "$root/agent" "$root/node" "$root/program"
  mv "$root/parts"/* "$root/"
  rm -rf "$root/parts"
  echo "$sha256" > "$root/ready"
}

present=
[ -e "$root/ready" ] && read -r present < "$root/ready"
if [ "$present" != "$sha256" ]; then
  rm -f "$root/ready"
  for pause in 1 2 5 10 20 30 60 60 60 60 60 60 60 60 60 0; do
    if get; then unpack; break; fi
    [ "$pause" -gt 0 ] || give_up "the agent could not be fetched from $from"
    renew
    sleep "$pause"
  done
fi
chmod 755 "$root"
printf '%s' "$token" > "$root/token"
lib=$root/lib
loader=$(echo "$lib"/ld-linux*)
umask "$mask"
DSTACK_AGENT_NODE="$loader --library-path $lib $root/node" DSTACK_AGENT_SYNC=off \\
"$loader" --library-path "$lib" "$root/node" --max-old-space-size=256 "$root/agent/main.js" \\
  --state "$root/state" --socket "$root/run/agent.sock" --executor process --job-container --server-id "$server" \\
  --token-file "$root/token" --tunnel-port 0 --tunnel-address 0.0.0.0 --dial-out "$dial" &
agent=$!
trap 'kill -TERM $agent 2>/dev/null' TERM INT
while kill -0 $agent 2>/dev/null; do wait $agent; code=$?; done
exit "\${code:-0}"
`.trim();
