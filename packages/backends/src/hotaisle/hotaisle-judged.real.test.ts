/** The document of 2026-06. */
import { describeJudged } from '../base/testing/judged-world.ts';
import { hotAisleAt } from './testing.ts';

describeJudged({
  ...{ title: 'Hot Aisle', personality: 'hotaisle', base: '/api' },
  ...{ document: 'hotaisle/swagger.json', open: hotAisleAt },
});
