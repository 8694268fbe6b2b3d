package tacet.autograd;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static tacet.autograd.Inputs.random;
import static tacet.autograd.Inputs.use;

import java.util.Arrays;
import org.junit.jupiter.api.Test;
import tacet.tensor.Engine;
import tacet.tensor.Shape;
import tacet.tensor.Tensor;
import tacet.tensor.Workers;
import tacet.tensor.Workspace;
import tacet.tensor.kernel.Kernels;

/** Losses and their gradients, element by element, against the same thing in double. */
class LossesTest {
  private static final Engine ENGINE =
      new Engine(Kernels.best(), new Workers(2), new Workspace(true));

  /** −log softmax of n values from {@code from}, {@code stride} apart, at the label. */
  private static double negativeLog(double[] x, int from, int stride, int n, int label) {
    double sum = 0;
    for (int j = 0; j < n; j++) {
      sum += Math.exp(x[from + j * stride]);
    }
    return Math.log(sum) - x[from + label * stride];
  }

  @Test
  void crossEntropyLeavesOutWhatIsIgnored() {
    Parameter logits = random(2, 4, 3);
    for (int[] labels : new int[][] {{2, 0, 1, 1}, {2, -100, 1, -100}}) {
      long counted = Arrays.stream(labels).filter(l -> l >= 0).count();
      GradCheck.of(ENGINE, pass -> Losses.crossEntropy(pass, use(pass, logits), labels))
          .against(
              in -> {
                double loss = 0;
                for (int i = 0; i < 4; i++) {
                  if (labels[i] >= 0) {
                    loss += negativeLog(in.get(0), i * 3, 1, 3, labels[i]) / counted;
                  }
                }
                return loss;
              },
              logits);
    }
  }

  /** Label s + 1 judges the prediction at s; the last prediction of an example is free. */
  @Test
  void nextToken() {
    int s = 4;
    int c = 5;
    Parameter logits = random(3, 2, s, c);
    int[] labels = {1, 4, 0, -100, 3, 2, 2, 1};
    GradCheck.of(ENGINE, pass -> Losses.nextToken(pass, use(pass, logits), labels))
        .against(
            in -> {
              double loss = 0;
              for (int i = 0; i < 2 * s; i++) {
                if (i % s < s - 1 && labels[i + 1] >= 0) {
                  loss += negativeLog(in.get(0), i * c, 1, c, labels[i + 1]) / 5;
                }
              }
              return loss;
            },
            logits);
  }

  /** The second answer begins before the text (position 0) and ends after it (ignored). */
  @Test
  void span() {
    int s = 6;
    Parameter logits = random(4, 2, s, 2);
    GradCheck.of(
            ENGINE,
            pass -> Losses.span(pass, use(pass, logits), new int[] {3, -2}, new int[] {5, s + 1}))
        .against(
            in -> {
              double start =
                  negativeLog(in.get(0), 0, 2, s, 3) + negativeLog(in.get(0), 2 * s, 2, s, 0);
              return (start / 2 + negativeLog(in.get(0), 1, 2, s, 5)) / 2;
            },
            logits);
  }

  @Test
  void binaryCrossEntropy() {
    Parameter logits = random(5, 2, 3);
    float[] target = {1, 0, 0, 1, 1, 0.25f};
    GradCheck.of(ENGINE, pass -> Losses.binaryCrossEntropy(pass, use(pass, logits), target))
        .against(
            in -> {
              double loss = 0;
              for (int i = 0; i < 6; i++) {
                double sigma = 1 / (1 + Math.exp(-in.get(0)[i]));
                loss -= target[i] * Math.log(sigma) + (1 - target[i]) * Math.log(1 - sigma);
              }
              return loss / 6;
            },
            logits);
  }

  @Test
  void largeLogitsDoNotOverflow() {
    float[] values = {90, -90, 120, -120};
    try (Pass pass = Pass.inference(ENGINE)) {
      Var x = pass.constant(new Tensor(Shape.of(2, 2), values));
      assertThat(Losses.crossEntropy(pass, x, new int[] {1, 0}).value().item()).isEqualTo(90f);
      assertThat(Losses.binaryCrossEntropy(pass, x, new float[] {0, 0, 1, 1}).value().item())
          .isEqualTo(52.5f);
    }
  }

  @Test
  void labelsThatCannotBeAreRefused() {
    try (Pass pass = Pass.inference(ENGINE)) {
      Var x = pass.constant(random(6, 2, 3).value());
      assertThatThrownBy(() -> Losses.crossEntropy(pass, x, new int[] {0, 3}))
          .isInstanceOf(IndexOutOfBoundsException.class)
          .hasMessageContaining("label 3 at 1 is not one of 3 classes");
      assertThatThrownBy(() -> Losses.crossEntropy(pass, x, new int[] {0}))
          .hasMessageContaining("2 predictions, 1 labels");
      assertThatThrownBy(() -> Losses.crossEntropy(pass, x, new int[] {-100, -100}))
          .hasMessageContaining("all 2 labels are to be ignored");
      assertThatThrownBy(() -> Losses.nextToken(pass, x, new int[] {0, 1}))
          .hasMessageContaining("logits [2, 3] are not [B, S, 3]");
      Var three = pass.constant(random(6, 2, 2, 3).value());
      assertThatThrownBy(() -> Losses.span(pass, three, new int[] {0, 1}, new int[] {0, 1}))
          .hasMessageContaining("logits [2, 2, 3] are not [B, S, 2]");
      Var none = pass.constant(Tensor.zeros(0, 3));
      assertThatThrownBy(() -> Losses.meanSquaredError(pass, none, new float[0]))
          .hasMessageContaining("nothing to average");
      assertThatThrownBy(() -> Losses.binaryCrossEntropy(pass, none, new float[0]))
          .hasMessageContaining("nothing to average");
    }
  }
}
