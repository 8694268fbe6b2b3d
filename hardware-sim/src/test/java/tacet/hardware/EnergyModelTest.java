package tacet.hardware;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import tacet.hardware.EnergyMeter.Aggregation;
import tacet.hardware.EnergyMeter.Dialect;
import tacet.hardware.EnergyMeter.Options;
import tacet.hardware.EnergyModel.ComputeFraction;
import tacet.hardware.LeafCall.Kind;
import tacet.hardware.LeafCall.Site;

/** The hand-computed vectors; the arithmetic stands beside each expectation. */
class EnergyModelTest {

  private static final float THRESHOLD = EnergyModel.threshold(32);
  private static final Options LEAVES = Options.of(EnergyScope.LEAF_HF);

  private static final float[] X = {1, 0, -2, 0, 0, 0, .5f, 0};
  private static final float[] W = {1, 0, 2, 0, 0, 1, 0, 0, 1, 1, 1, 1};
  private static final float[] B = {0, 1, 3};
  private static final float[] Y = {-3, 1, 2, 1, 1, 3.5f};
  private static final float[] H = {0, 1, 2, 1, 1, 3.5f};
  private static final float[] W2 = {1, -1, 0, 2, 0, 1};
  private static final float[] B2 = {0, 0};
  private static final float[] Z = {-1, 2, 0, 5.5f};

  private static Count count(float... values) {
    return Count.of(values, 0, values.length, THRESHOLD);
  }

  private static void firstLinear(EnergyMeter meter) {
    meter.linear("0", Site.MLP_IN, count(X), 4, count(Y), count(W), count(B));
  }

  private static EnergyMeter twoLayers(Dialect dialect) {
    EnergyMeter meter = new EnergyMeter(dialect);
    firstLinear(meter);
    meter.activation("1", Site.MLP_ACTIVATION, count(Y), count(H));
    meter.linear("2", Site.MLP_OUT, count(H), 3, count(Z), count(W2), count(B2));
    meter.endBatch();
    return meter;
  }

  @Test
  void t1OneLinear() {
    EnergyMeter meter = new EnergyMeter(Dialect.SPONGE);
    firstLinear(meter);
    meter.endBatch();
    EnergyEstimate e = meter.estimate(LEAVES);
    assertSeven(e.total(), 8, 3, 6, 6, 15, 9, 24);
    // 1950 * 29 + 24 * 3.7; 1950 * 18 + (9/15)(3/8) * 88.8
    assertThat(e.unoptimised()).isEqualTo(56638.8);
    assertThat(e.optimised()).isCloseTo(35119.98, within(1e-9));
    assertThat(e.ratio()).isCloseTo(0.6200692811, within(1e-10));
  }

  @Test
  void t2LinearReluLinear() {
    EnergyEstimate e = twoLayers(Dialect.SPONGE).estimate(LEAVES);
    assertSeven(e.total(), 20, 14, 16, 14, 23, 13, 36);
    assertThat(e.unoptimised()).isCloseTo(115183.2, within(1e-9));
    assertThat(e.optimised()).isCloseTo(80002.70087, within(1e-5));
    assertThat(e.ratio()).isCloseTo(0.6945691808, within(1e-10));
    assertThat(e.modules()).extracting(LeafCall::name).containsExactly("0", "1", "2");
  }

  @Test
  void t2SummedPerLayer() {
    EnergyEstimate e = twoLayers(Dialect.SPONGE).estimate(LEAVES.with(ComputeFraction.PER_LAYER));
    // 35119.98 + 21450 + 23418.5
    assertThat(e.optimised()).isCloseTo(79988.48, within(1e-9));
    assertThat(e.ratio()).isCloseTo(0.6944457, within(1e-7));
  }

  @Test
  void t2CountedEffectual() {
    EnergyMeter meter = new EnergyMeter(Dialect.SPONGE);
    // Row 1 has x0, x2 (1*2 + 2*2 non-zero weights in columns 0 and 2), row 2 has x2: 2 + 2 + 2 = 6
    // of 24.
    meter.linear("0", Site.MLP_IN, count(X), 4, count(Y), count(W), count(B), 6);
    meter.endBatch();
    EnergyEstimate e = meter.estimate(LEAVES.with(ComputeFraction.EFFECTUAL));
    assertThat(e.optimised()).isCloseTo(1950 * 18 + 3.7 * 6, within(1e-9));
    assertThat(e.savings().sum()).isCloseTo(1 - e.ratio(), within(1e-12));
  }

  @Test
  void effectualIsExactForDenseWeightsWithoutBeingCounted() {
    EnergyMeter meter = new EnergyMeter(Dialect.SPONGE);
    meter.linear("0", Site.MLP_OUT, Count.of(8, 3), 4, Count.dense(6), Count.dense(12), Count.NONE);
    meter.endBatch();
    assertThat(meter.estimate(LEAVES).total().effectual()).isEqualTo(3 * 3);
  }

  @Test
  void t3Thresholds() {
    EnergyModel model = EnergyModel.SPONGE;
    assertThat(model.isNonZero(0x1p-126f)).isFalse();
    assertThat(model.isNonZero(Math.nextUp(0x1p-126f))).isTrue();
    assertThat(model.isNonZero(-Math.nextUp(0x1p-126f))).isTrue();
    assertThat(model.isNonZero(Float.MIN_VALUE)).isFalse();
    assertThat(model.isNonZero(-0.0f)).isFalse();
    assertThat(model.isNonZero(Float.NaN)).isFalse();
    assertThat(model.isNonZero(Float.NEGATIVE_INFINITY)).isTrue();
    assertThat(count(0x1p-126f, -0f, Float.NaN, Float.POSITIVE_INFINITY, 1e-40f).nonZero())
        .isEqualTo(1);
    assertThat(EnergyModel.threshold(16)).isEqualTo((float) Math.pow(2, -30));
    assertThat(EnergyModel.threshold(8)).isEqualTo((float) Math.pow(2, -14));
    assertThatThrownBy(() -> EnergyModel.threshold(4)).hasMessageContaining("32, 16 or 8");
  }

  @Test
  void t4Embedding() {
    assertSeven(embedding(Dialect.SPONGE), 3, 2, 12, 12, 52, 52, 0);
    assertSeven(embedding(Dialect.CINOFIX), 3, 2, 12, 12, 40, 40, 0);
  }

  private static Counters embedding(Dialect dialect) {
    EnergyMeter meter = new EnergyMeter(dialect);
    meter.embedding("words", Count.of(0, 2, 5), Count.dense(12), Count.dense(40));
    meter.endBatch();
    return meter.estimate(LEAVES).total();
  }

  @Test
  void t5BatchNorm() {
    assertThat(batchNorm(Dialect.SPONGE).parameters()).isEqualTo(19);
    assertThat(batchNorm(Dialect.CINOFIX).parameters()).isEqualTo(73);
    assertThat(batchNorm(Dialect.SPONGE).computations()).isEqualTo(96);
  }

  private static Counters batchNorm(Dialect dialect) {
    EnergyMeter meter = new EnergyMeter(dialect);
    meter.batchNorm("bn", Count.dense(24), Count.dense(24), Count.dense(6), Count.dense(6), 1);
    meter.endBatch();
    return meter.estimate(LEAVES).total();
  }

  /** Replacing non-zeros by zeros never raises E_opt, never changes E_unopt; ratio 1 means no zeros. */
  @Test
  void t6Monotone() {
    for (long seed = 0; seed < 300; seed++) {
      SplittableRandom random = new SplittableRandom(seed);
      Count[] counts = new Count[8];
      Count[] fewer = new Count[8];
      boolean zeros = false;
      for (int i = 0; i < counts.length; i++) {
        int n = 12 * (1 + random.nextInt(9));
        int nonZero = random.nextInt(4) == 0 ? n - random.nextInt(n) : n;
        zeros |= nonZero < n;
        counts[i] = Count.of(n, nonZero);
        fewer[i] = Count.of(n, random.nextInt(nonZero + 1));
      }
      for (ComputeFraction fraction : ComputeFraction.values()) {
        EnergyEstimate before = random(counts).estimate(LEAVES.with(fraction));
        EnergyEstimate after = random(fewer).estimate(LEAVES.with(fraction));
        String what = "seed " + seed + ", " + fraction;
        assertThat(after.unoptimised()).as(what).isEqualTo(before.unoptimised());
        assertThat(after.optimised())
            .as(what)
            .isLessThanOrEqualTo(before.optimised() * (1 + 1e-12));
        assertThat(before.ratio() > 1 - 1e-12).as(what).isEqualTo(!zeros);
        assertThat(after.savings().sum()).as(what).isCloseTo(1 - after.ratio(), within(1e-12));
      }
    }
  }

  private static EnergyMeter random(Count[] c) {
    EnergyMeter meter = new EnergyMeter(Dialect.SPONGE);
    meter.linear("a", Site.MLP_IN, c[0], 12, c[1], c[2], c[3]);
    meter.activation("b", Site.MLP_ACTIVATION, c[1], c[4]);
    meter.linear("c", Site.MLP_OUT, c[4], 12, c[5], c[6], c[7]);
    meter.endBatch();
    return meter;
  }

  @Test
  void savingsNameTheirCause() {
    EnergyMeter meter = new EnergyMeter(Dialect.CINOFIX);
    Count half = Count.of(100, 50);
    Count columns = Count.of(200, 120).withPadding(80, 0);
    meter.dropout("probabilities", Site.ATTENTION_PROBABILITIES, columns, columns);
    meter.activation("act", Site.MLP_ACTIVATION, Count.dense(100), half);
    meter.leaf(
        "norm", Kind.NORM, Site.OTHER, Count.dense(10), Count.dense(10), Count.of(20, 15), 0);
    meter.endBatch();
    EnergyEstimate e = meter.estimate(LEAVES);
    double all = 400 + 200 + 40;
    assertThat(e.savings().padding()).isCloseTo(160 / all, within(1e-12));
    assertThat(e.savings().mlp()).isCloseTo(50 / all, within(1e-12));
    assertThat(e.savings().weights()).isCloseTo(5 / all, within(1e-12));
    assertThat(e.savings().other()).isCloseTo(0, within(1e-12));
    // Without padding the masked columns are not there; fused attention has no such module at all.
    assertThat(meter.estimate(Options.of(EnergyScope.UNPADDED)).total().inputs()).isEqualTo(230);
    assertThat(meter.estimate(LEAVES.withoutAttentionDropout()).total().inputs()).isEqualTo(110);
  }

  @Test
  void scopesSelectModules() {
    EnergyMeter meter = new EnergyMeter(Dialect.CINOFIX);
    Count c = Count.dense(4);
    for (Site site : Site.values()) {
      meter.linear("linear " + site, site, c, 2, c, c, Count.NONE);
      meter.activation("act " + site, site, c, c);
    }
    meter.endBatch();
    assertThat(modules(meter, EnergyScope.LEAF_HF)).isEqualTo(14);
    assertThat(modules(meter, EnergyScope.UNPADDED)).isEqualTo(14);
    assertThat(modules(meter, EnergyScope.ALL_LINEAR)).isEqualTo(7);
    assertThat(modules(meter, EnergyScope.MLP_ONLY)).isEqualTo(2);
    assertThat(modules(meter, EnergyScope.LEAF_ADAPTER_TRANSFORMERS)).isEqualTo(11);
    assertThat(EnergyScope.PAPER_TABLE2.resolve("LoRA"))
        .isEqualTo(EnergyScope.LEAF_ADAPTER_TRANSFORMERS);
    assertThat(EnergyScope.PAPER_TABLE2.resolve("prefix")).isEqualTo(EnergyScope.LEAF_HF);
    assertThatThrownBy(() -> modules(meter, EnergyScope.PAPER_TABLE2))
        .hasMessageContaining("resolve");
  }

  private static int modules(EnergyMeter meter, EnergyScope scope) {
    return meter.estimate(Options.of(scope)).modules().size();
  }

  @Test
  void batchesAreAveragedOrPooled() {
    EnergyMeter meter = new EnergyMeter(Dialect.CINOFIX);
    meter.activation("a", Site.OTHER, Count.of(90, 90), Count.of(90, 90));
    meter.endBatch();
    meter.activation("a", Site.OTHER, Count.of(10, 0), Count.of(10, 0));
    meter.endBatch();
    assertThat(meter.estimate(LEAVES).ratio()).isEqualTo(.5);
    EnergyEstimate pooled = meter.estimate(LEAVES.with(Aggregation.POOLED));
    assertThat(pooled.ratio()).isCloseTo(.9, within(1e-12));
    assertThat(pooled.modules()).hasSize(1);
  }

  @Test
  void refusesUnfinishedAndEmptyMeters() {
    EnergyMeter meter = new EnergyMeter(Dialect.SPONGE);
    assertThatThrownBy(() -> meter.estimate(LEAVES)).hasMessageContaining("no module");
    firstLinear(meter);
    assertThatThrownBy(() -> meter.estimate(LEAVES)).hasMessageContaining("endBatch");
    assertThatThrownBy(() -> Count.of(3, 4)).hasMessageContaining("contradictory");
    assertThatThrownBy(() -> Count.of(Double.NaN, 0)).hasMessageContaining("contradictory");
    assertThatThrownBy(() -> Count.of(4, 4).withPadding(2, 1))
        .hasMessageContaining("contradictory");
  }

  @Test
  void countsPaddedBatches() {
    // Two sequences of three tokens, width two; the second has one valid token.
    float[] values = {9, 1, 0, 2, 0, 3, 4, 5, 6, 0, 7, 0, 0};
    Count c = Count.ofBatch(values, 1, 3, 2, new int[] {3, 1}, 0);
    assertThat(c).isEqualTo(new Count(12, 7, 4, 1));
    assertThat(c.unpadded()).isEqualTo(Count.of(8, 6));
  }

  private static void assertSeven(
      Counters c, double ti, double ni, double to, double no, double tp, double np, double macs) {
    assertThat(
            new double[] {
              c.inputs(),
              c.inputsNonZero(),
              c.outputs(),
              c.outputsNonZero(),
              c.parameters(),
              c.parametersNonZero(),
              c.computations()
            })
        .containsExactly(ti, ni, to, no, tp, np, macs);
  }
}
