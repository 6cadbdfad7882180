import { describeOverSsh } from './over-ssh.ts';

describeOverSsh('0.22.5');
