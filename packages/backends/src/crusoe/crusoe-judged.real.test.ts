/** The document of 2026-07. */
import { describeJudged } from '../base/testing/judged-world.ts';
import { crusoeAt } from './testing.ts';

describeJudged({
  ...{ title: 'Crusoe', personality: 'crusoe', base: '/v1alpha5' },
  ...{ document: 'crusoe/swagger/v1alpha5/swagger.json', open: crusoeAt },
});
