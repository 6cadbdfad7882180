import { describeOverSsh } from './over-ssh.ts';

describeOverSsh('0.21.5');
