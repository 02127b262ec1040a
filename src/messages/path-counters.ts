/** Everything a packet path counted so far. All are totals since the start. */
export interface PathCounters {
  readonly packets: number;
  readonly bytes: number;
  /** Flows seen, live ones included. */
  readonly flows: number;
  /** Packets that could not be read to the end, by reason (`ipv4/truncated` …). */
  readonly malformed: Readonly<Record<string, number>>;
  /** What a bounded table let go, by table (`flow`, `address-scan` …). */
  readonly evicted: Readonly<Record<string, number>>;
  /** Packets that were read but not looked at, by reason (`arp`, `not-ip`, `not-watched` …). */
  readonly skipped: Readonly<Record<string, number>>;
}
