/** Instructions that the faulty processor executes rightly. */
export const GOOD = 123_456;
