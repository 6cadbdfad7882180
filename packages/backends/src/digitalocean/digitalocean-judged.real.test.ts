/** The document of 2026-08. */
import { describeJudged } from '../base/testing/judged-world.ts';
import { digitalOceanAt } from './testing.ts';

describeJudged({
  ...{ title: 'DigitalOcean', personality: 'digitalocean', open: digitalOceanAt },
  document: 'digitalocean/specification/DigitalOcean-public.v2.yaml',
});
