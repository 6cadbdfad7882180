import { describeOfficialClient } from './suite.ts';

describeOfficialClient('0.22.5');
