/** Time as the MC146818 holds it: ten bytes in binary or BCD, 12 or 24 hours (data sheet, table 3), and the alarm's comparison. */

/** The registers of time and alarm. */
export const TimeReg = { seconds: 0, secondsAlarm: 1, minutes: 2, minutesAlarm: 3, hours: 4, hoursAlarm: 5, dayOfWeek: 6, day: 7, month: 8, year: 9, century: 0x32 } as const;

/** How bytes are written: register B. */
export interface Format {
  readonly binary: boolean;
  readonly hours24: boolean;
}

const PM = 0x80;
export const SECOND = 1_000_000_000n;
const DAY_SECONDS = 86_400;

const toBcd = (n: number): number => (Math.floor(n / 10) << 4) | n % 10;
const fromBcd = (n: number): number => (n >> 4) * 10 + (n & 15);

export function encode(n: number, { binary }: Format): number {
  return binary ? n : toBcd(n);
}

export function decode(byte: number, { binary }: Format): number {
  return binary ? byte : fromBcd(byte);
}

export function encodeHour(hour: number, format: Format): number {
  if (format.hours24) return encode(hour, format);
  return encode(hour % 12 === 0 ? 12 : hour % 12, format) | (hour >= 12 ? PM : 0);
}

export function decodeHour(byte: number, format: Format): number {
  if (format.hours24) return decode(byte, format);
  return (decode(byte & ~PM, format) % 12) + ((byte & PM) !== 0 ? 12 : 0);
}

/** The time register `register` at `seconds` since 1970. */
export function timeByte(register: number, seconds: number, format: Format): number | undefined {
  const date = new Date(seconds * 1000);
  switch (register) {
    case TimeReg.seconds:
      return encode(date.getUTCSeconds(), format);
    case TimeReg.minutes:
      return encode(date.getUTCMinutes(), format);
    case TimeReg.hours:
      return encodeHour(date.getUTCHours(), format);
    case TimeReg.dayOfWeek:
      return encode(date.getUTCDay() + 1, format);
    case TimeReg.day:
      return encode(date.getUTCDate(), format);
    case TimeReg.month:
      return encode(date.getUTCMonth() + 1, format);
    case TimeReg.year:
      return encode(date.getUTCFullYear() % 100, format);
    case TimeReg.century:
      return encode(Math.floor(date.getUTCFullYear() / 100), format);
    default:
      return undefined;
  }
}

/** `seconds` since 1970 from the time registers; what is out of range carries over, as Date does it. */
export function secondsOf(byte: (register: number) => number, format: Format): number {
  const value = (register: number): number => decode(byte(register), format);
  const year = value(TimeReg.century) * 100 + value(TimeReg.year);
  const hour = decodeHour(byte(TimeReg.hours), format);
  return Date.UTC(year, value(TimeReg.month) - 1, value(TimeReg.day), hour, value(TimeReg.minutes), value(TimeReg.seconds)) / 1000;
}

/** The first second after `after` at which the alarm goes off; `undefined`: never, its registers name no time. */
export function nextAlarm(after: number, byte: (register: number) => number, format: Format): number | undefined {
  // The two most significant bits set: whatever the time is.
  const wanted = (register: number, read: (b: number, f: Format) => number): number | undefined => ((byte(register) & 0xc0) === 0xc0 ? undefined : read(byte(register), format));
  const hour = wanted(TimeReg.hoursAlarm, decodeHour);
  const minute = wanted(TimeReg.minutesAlarm, decode);
  const second = wanted(TimeReg.secondsAlarm, decode);
  // Whatever does not match is skipped to its end, so that a day has few steps.
  for (let t = after + 1; t <= after + 2 * DAY_SECONDS; ) {
    if (hour !== undefined && Math.floor(t / 3600) % 24 !== hour) t = (Math.floor(t / 3600) + 1) * 3600;
    else if (minute !== undefined && Math.floor(t / 60) % 60 !== minute) t = (Math.floor(t / 60) + 1) * 60;
    else if (second !== undefined && t % 60 !== second) t++;
    else return t;
  }
  return undefined;
}
