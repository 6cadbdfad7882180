export { chargedUser, type Payer } from './accounts.ts';
export { greatest, inUnits, minus, plus, termsAmounts } from './amounts.ts';
export { chargeOf } from './charge.ts';
