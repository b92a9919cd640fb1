/** Symbols of movable regions: what their code names and only a module knows. */

/** Functions: those of each module, and behind them the ISA's, in their order. */
export const FUNCTION = { slow: 0, has: 1, refill: 2, isa: 3 } as const;

/** Constants: the place of the records of the other page, and behind it the numbers of the regions that links lead to, then addresses in instructions. */
export const CONSTANT = { records: 0, links: 1 } as const;
