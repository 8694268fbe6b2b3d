package tacet.hardware.arch;

/** How closely a layer is simulated. */
public enum Fidelity {
  /** Closed forms from sizes and densities: an expectation under independent zeros. Needs no masks. */
  ANALYTIC,
  /** Exact cycle counts by recurrences over steps, tokens or items. For whole models. */
  TILE,
  /** Every unit ticks every cycle. The same numbers as {@link #TILE}, found independently. For small layers. */
  CYCLE
}
