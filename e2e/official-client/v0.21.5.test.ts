import { describeOfficialClient } from './suite.ts';

describeOfficialClient('0.21.5');
