/** Symbols of movable regions: what their code names and only a module knows. */

/** Functions: those of each module, and behind them the ISA's, in their order. */
export const FUNCTION = { slow: 0, has: 1, refill: 2, isa: 3 } as const;

/** Constants: the region's own number, the place of the records of its other page, and behind it the numbers of the regions that links lead to, then addresses in instructions. */
export const CONSTANT = { self: 0, records: 1, links: 2 } as const;
