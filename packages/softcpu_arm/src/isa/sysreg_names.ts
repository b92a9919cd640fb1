/** Names of system registers (Arm ARM, D17.1), as the assembly language writes them. */

/** By (o0, op1, CRn, CRm, op2), op0 being 2 + o0. */
const registers: Readonly<Record<string, string>> = {};
/** Name by number, whose bits are o0, op1:3, CRn:4, CRm:4, op2:3. */
export const systemRegisterNames: ReadonlyMap<number, string> = new Map(
  Object.entries(registers).map(([name, fields]) => {
    const [o0 = 0, op1 = 0, n = 0, m = 0, op2 = 0] = fields.split(' ').map(Number);
    return [(o0 << 14) | (op1 << 11) | (n << 7) | (m << 3) | op2, name];
  }),
);
/** Number by name. */
export const systemRegisterNumbers: ReadonlyMap<string, number> = new Map([...systemRegisterNames].map(([number, name]) => [name, number]));
