package tacet.hardware.arch;

/** A rectangle of an operand; ends are exclusive. */
record Block(int row, int rowEnd, int column, int columnEnd) {
  long elements() {
    return (long) (rowEnd - row) * (columnEnd - column);
  }
}
