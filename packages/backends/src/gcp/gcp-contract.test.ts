import { describeBackend } from '../base/testing/contract.suite.ts';
import { gcpContractWorld } from './testing/contract-world.ts';

describeBackend('GCP', gcpContractWorld);
