package tacet.hardware.arch;

/** Counts unit-cycles and operations while a layer runs. */
final class Tally {
  long cycles;
  long busy;
  long issued;
  long gated;
  final long[] stalls = new long[Stall.values().length];

  void stall(Stall stall, long unitCycles) {
    stalls[stall.ordinal()] += unitCycles;
  }

  void add(Tally other) {
    cycles += other.cycles;
    busy += other.busy;
    issued += other.issued;
    gated += other.gated;
    for (int i = 0; i < stalls.length; i++) {
      stalls[i] += other.stalls[i];
    }
  }
}
