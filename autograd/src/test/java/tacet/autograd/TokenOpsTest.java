package tacet.autograd;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static tacet.autograd.Inputs.random;
import static tacet.autograd.Inputs.use;

import java.util.function.BiFunction;
import java.util.function.Function;
import org.junit.jupiter.api.Test;
import tacet.tensor.Engine;
import tacet.tensor.RandomStream;
import tacet.tensor.Shape;
import tacet.tensor.Workers;
import tacet.tensor.Workspace;
import tacet.tensor.kernel.Kernels;

/** Token operators and their gradients, element by element, against the same thing in double. */
class TokenOpsTest {
  private static final Engine ENGINE =
      new Engine(Kernels.best(), new Workers(2), new Workspace(true));

  private static final int B = 3;
  private static final int S = 4;
  private static final int D = 5;

  private final Parameter x = random(1, B, S, D);

  /** Checks y = op(x) with every element weighted differently. */
  private void check(
      int size,
      BiFunction<Pass, Var, Var> op,
      Function<double[][], double[]> exact,
      Parameter... more) {
    float[] target = RandomStream.of(9, "target", 0).normal(Shape.of(size), 1).data();
    Parameter[] all = new Parameter[more.length + 1];
    all[0] = x;
    System.arraycopy(more, 0, all, 1, more.length);
    GradCheck.of(
            ENGINE, pass -> Losses.meanSquaredError(pass, op.apply(pass, use(pass, x)), target))
        .against(
            in -> {
              double[] y = exact.apply(in.toArray(new double[0][]));
              assertThat(y).hasSize(size);
              double sum = 0;
              for (int i = 0; i < size; i++) {
                sum += (y[i] - target[i]) * (y[i] - target[i]) / size;
              }
              return sum;
            },
            all);
  }

  @Test
  void pick() {
    int[] at = {2, 0, 3};
    check(
        B * D,
        (pass, v) -> TokenOps.pick(pass, v, at),
        in -> {
          double[] y = new double[B * D];
          for (int i = 0; i < y.length; i++) {
            y[i] = in[0][(i / D * S + at[i / D]) * D + i % D];
          }
          return y;
        });
    try (Pass pass = Pass.inference(ENGINE)) {
      Var v = pass.constant(x.value());
      assertThatThrownBy(() -> TokenOps.pick(pass, v, new int[] {0, S, 0}))
          .isInstanceOf(IndexOutOfBoundsException.class)
          .hasMessageContaining("position 4 of example 1");
    }
  }

  @Test
  void prepend() {
    Parameter token = random(2, 1, 1, D);
    check(
        B * (S + 1) * D,
        (pass, v) -> TokenOps.prepend(pass, token, v),
        in -> {
          double[] y = new double[B * (S + 1) * D];
          for (int i = 0; i < y.length; i++) {
            int s = i / D % (S + 1);
            int b = i / D / (S + 1);
            y[i] = s == 0 ? in[1][i % D] : in[0][(b * S + s - 1) * D + i % D];
          }
          return y;
        },
        token);
  }

  @Test
  void addToEach() {
    Parameter table = random(3, 1, S, D);
    check(
        B * S * D,
        (pass, v) -> TokenOps.addToEach(pass, v, table),
        in -> {
          double[] y = in[0].clone();
          for (int i = 0; i < y.length; i++) {
            y[i] += in[1][i % (S * D)];
          }
          return y;
        },
        table);
  }

  /** Two overlapping cuts of one value: their gradients add up. */
  @Test
  void columns() {
    check(
        B * S * 3,
        (pass, v) ->
            Ops.add(pass, TokenOps.columns(pass, v, 0, 3), TokenOps.columns(pass, v, 2, 3)),
        in -> {
          double[] y = new double[B * S * 3];
          for (int i = 0; i < y.length; i++) {
            y[i] = in[0][i / 3 * D + i % 3] + in[0][i / 3 * D + 2 + i % 3];
          }
          return y;
        });
  }

  @Test
  void widthsThatDoNotFitAreRefused() {
    Parameter narrow = random(4, D - 1);
    try (Pass pass = Pass.inference(ENGINE)) {
      Var v = pass.constant(x.value());
      assertThatThrownBy(() -> TokenOps.prepend(pass, narrow, v)).hasMessageContaining("width 5");
      assertThatThrownBy(() -> TokenOps.addToEach(pass, v, narrow)).hasMessageContaining("meets");
      assertThatThrownBy(() -> TokenOps.columns(pass, v, 3, 3)).hasMessageContaining("3 to 6");
      assertThatThrownBy(() -> TokenOps.prepend(pass, narrow, -1, 0, v))
          .isInstanceOf(IllegalArgumentException.class);
      assertThatThrownBy(() -> TokenOps.pick(pass, v, new int[99]))
          .hasMessageContaining("99 positions");
    }
  }
}
