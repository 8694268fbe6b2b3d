package tacet.deft;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import tacet.autograd.Parameter;
import tacet.autograd.Pass;
import tacet.tensor.Engine;
import tacet.tensor.RandomStream;
import tacet.transformer.Activation;
import tacet.transformer.Part;
import tacet.transformer.Seq2SeqModel;
import tacet.transformer.Surgery;
import tacet.transformer.TextModel;
import tacet.transformer.checkpoint.Checkpoint;
import tacet.transformer.checkpoint.Json;
import tacet.transformer.model.T5;

/** Least squares against a plain double solution; what a refit keeps of a model. */
class RefitTest {
  private static float[] random(int n, String purpose) {
    RandomStream r = RandomStream.of(11, purpose, n);
    float[] x = new float[n];
    for (int i = 0; i < n; i++) {
      x[i] = (float) r.nextGaussian();
    }
    return x;
  }

  /** Gauss's elimination with pivots, another way than Cholesky's. */
  private static double[][] solve(double[][] a, double[][] b) {
    int n = a.length;
    for (int j = 0; j < n; j++) {
      int pivot = j;
      for (int i = j + 1; i < n; i++) {
        pivot = Math.abs(a[i][j]) > Math.abs(a[pivot][j]) ? i : pivot;
      }
      double[] row = a[j];
      a[j] = a[pivot];
      a[pivot] = row;
      row = b[j];
      b[j] = b[pivot];
      b[pivot] = row;
      for (int i = 0; i < n; i++) {
        double f = i == j ? 0 : a[i][j] / a[j][j];
        for (int k = j; k < n; k++) {
          a[i][k] -= f * a[j][k];
        }
        for (int k = 0; k < b[0].length; k++) {
          b[i][k] -= f * b[j][k];
        }
      }
    }
    for (int j = 0; j < n; j++) {
      for (int k = 0; k < b[0].length; k++) {
        b[j][k] /= a[j][j];
      }
    }
    return b;
  }

  @Test
  void leastSquaresAreThoseOfTheFormula() {
    int[][] shapes = {
      {1, 1, 1}, {3, 2, 17}, {17, 31, 33}, {33, 3, 127}, {127, 33, 200}, {31, 17, 9}
    };
    try (Engine engine = Engine.ofThreads(2)) {
      for (int[] shape : shapes) {
        for (boolean bias : new boolean[] {false, true}) {
          int in = shape[0];
          int out = shape[1];
          int rows = shape[2];
          int wide = bias ? in + 1 : in;
          float[] x = random(rows * in, "x");
          float[] y = random(rows * out, "y");
          float[] prior = random(wide * out, "prior");
          double ridge = 0.1;
          double[][] gram = new double[wide][wide];
          double[][] right = new double[wide][out];
          for (int r = 0; r < rows; r++) {
            double[] row = new double[wide];
            row[wide - 1] = 1;
            for (int i = 0; i < in; i++) {
              row[i] = x[r * in + i];
            }
            for (int i = 0; i < wide; i++) {
              for (int j = 0; j < wide; j++) {
                gram[i][j] += row[i] * row[j];
              }
              for (int j = 0; j < out; j++) {
                right[i][j] += row[i] * y[r * out + j];
              }
            }
          }
          double trace = IntStream.range(0, in).mapToDouble(i -> gram[i][i]).sum();
          for (int i = 0; i < in; i++) {
            gram[i][i] += ridge * trace / in;
            for (int j = 0; j < out; j++) {
              right[i][j] += ridge * trace / in * prior[i * out + j];
            }
          }
          double[][] expected = solve(gram, right);

          LeastSquares squares = new LeastSquares(in, out, bias);
          int first = (rows + 1) / 2; // in two batches
          squares.add(engine, x, y, first);
          float[] restX = Arrays.copyOfRange(x, first * in, rows * in);
          float[] restY = Arrays.copyOfRange(y, first * out, rows * out);
          if (rows > first) {
            squares.add(engine, restX, restY, rows - first);
          }
          LeastSquares.Solution found = squares.solve(engine, prior, ridge);
          for (int i = 0; i < wide; i++) {
            for (int j = 0; j < out; j++) {
              assertThat((double) found.weights()[i * out + j])
                  .as("%d x %d of %s, bias %s", i, j, List.of(in, out, rows), bias)
                  .isCloseTo(expected[i][j], within(2e-4 * (1 + Math.abs(expected[i][j]))));
            }
          }
          if (rows > 1) {
            double[] shares = {0, 0};
            for (int j = 0; j < out; j++) {
              double mean = 0;
              for (int r = 0; r < rows; r++) {
                mean += y[r * out + j] / (double) rows;
              }
              for (int r = 0; r < rows; r++) {
                shares[0] += Math.pow(y[r * out + j] - mean, 2);
                double given = bias ? expected[in][j] : 0;
                for (int i = 0; i < in; i++) {
                  given += x[r * in + i] * expected[i][j];
                }
                shares[1] += Math.pow(given - y[r * out + j], 2);
              }
            }
            assertThat(found.after()).isCloseTo(shares[1] / shares[0], within(1e-3));
            assertThat(found.before()).isGreaterThan(found.after());
          }
        }
      }
    }
  }

  @Test
  void neuronsThatNeverSpeakKeepTheirWeights() {
    try (Engine engine = Engine.ofThreads(1)) {
      LeastSquares squares = new LeastSquares(3, 2, true);
      squares.add(engine, new float[12], new float[] {1, 2, 1, 2, 1, 2, 1, 2}, 4);
      float[] prior = {1, 2, 3, 4, 5, 6, 7, 8};
      assertThat(squares.solve(engine, prior, 1e-3).weights())
          .containsExactly(1, 2, 3, 4, 5, 6, 1, 2);
    }
  }

  private static List<Problem.Load<TextModel>> loads(TextProblem problem) {
    List<Problem.Load<TextModel>> loads = new ArrayList<>();
    for (int from = 0; from < 90; from += 10) {
      loads.add(problem.load(IntStream.range(from, from + 10).toArray(), 1, 0));
    }
    return loads;
  }

  private static double distance(Engine engine, TextModel a, TextModel b) {
    TextProblem problem = Tiny.problem();
    double sum = 0;
    try (Pass pass = Pass.inference(engine);
        Pass other = Pass.inference(engine)) {
      Dataset.Cut cut = problem.dev().cut(IntStream.range(0, 40).toArray());
      var x = a.forward(pass, cut.batch()).hidden();
      var y = b.forward(other, cut.batch()).hidden();
      float[] last = x.get(x.size() - 1).value().data();
      float[] same = y.get(y.size() - 1).value().data();
      int d = 16;
      for (int t = 0; t < cut.batch().mask().length; t++) {
        for (int i = 0; cut.batch().mask()[t] != 0 && i < d; i++) {
          sum += Math.pow(last[t * d + i] - same[t * d + i], 2);
        }
      }
    }
    return sum;
  }

  private static <P extends Part> P plain(P model) {
    Activation relu = Activation.of("relu");
    return Surgery.replace(model, (path, part) -> part instanceof Activation ? relu : part);
  }

  @Test
  void aRefittedModelGivesWhatItGave() throws IOException {
    TextModel gelu = Tiny.model("gelu");
    List<Problem.Load<TextModel>> loads = loads(Tiny.problem());
    try (Engine engine = Engine.ofThreads(2)) {
      List<Refit.Fit> fits = new ArrayList<>();
      TextModel relu = Refit.activation(engine, gelu, Activation.of("relu"), loads, fits::add);
      assertThat(fits).extracting(Refit.Fit::layer).hasSize(2).allMatch(p -> p.contains("output"));
      for (Refit.Fit fit : fits) {
        assertThat(fit.after()).isLessThan(fit.before() / 3);
        assertThat(fit.density()).isBetween(5.0, 95.0);
      }
      // Sentences that it was not fitted on.
      assertThat(distance(engine, relu, gelu)).isLessThan(distance(engine, plain(gelu), gelu) / 3);
      assertThat(Surgery.parts(relu).values()).contains(Activation.of("relu"));
      // What is not fitted is shared, and the old model is as it was.
      Map<String, Parameter> before = Surgery.parameters(gelu);
      Surgery.parameters(relu)
          .forEach(
              (path, p) -> {
                boolean second = path.matches(".*layer\\.\\d\\.output\\.dense\\..*");
                assertThat(p == before.get(path)).as(path).isEqualTo(!second);
              });
      // Its own activation needs no other weights.
      List<Refit.Fit> same = new ArrayList<>();
      TextModel again = Refit.activation(engine, gelu, Activation.of("gelu"), loads, same::add);
      assertThat(same).allMatch(f -> f.before() < 1e-5 && f.after() < 1e-5);
      assertThat(distance(engine, again, gelu)).isLessThan(1e-4);
      assertThatThrownBy(
              () -> Refit.activation(engine, gelu, Activation.of("relu"), List.of(), f -> {}))
          .hasMessageContaining("nothing to refit");
    }
  }

  /** Two stacks, norms before the MLP, gates, no biases. */
  @Test
  void aGatedEncoderDecoderToo() throws IOException {
    Json config =
        Json.parse(
            """
            {"model_type": "t5", "vocab_size": 40, "d_model": 16, "d_kv": 8, "d_ff": 32,
             "num_layers": 2, "num_decoder_layers": 2, "num_heads": 2,
             "feed_forward_proj": "gated-gelu", "decoder_start_token_id": 0, "pad_token_id": 0,
             "eos_token_id": 1, "initializer_factor": 2.0}
            """,
            "config");
    Seq2SeqModel gelu =
        T5.open(Checkpoint.of("t5", config, T5.initialWeights(T5.Config.of(config), 4)));
    RandomStream r = RandomStream.of(3, "pairs", 0);
    List<Sequences.Item> items = new ArrayList<>();
    for (int i = 0; i < 120; i++) {
      items.add(new Sequences.Item(ids(r), ids(r)));
    }
    Sequences pairs = new Sequences(items, 0);
    List<Problem.Load<Seq2SeqModel>> loads = new ArrayList<>();
    for (int from = 0; from < 120; from += 20) {
      loads.add(pairs.load(IntStream.range(from, from + 20).toArray()));
    }
    try (Engine engine = Engine.ofThreads(1)) {
      List<Refit.Fit> fits = new ArrayList<>();
      Refit.activation(engine, gelu, Activation.of("relu"), loads, fits::add);
      assertThat(fits).hasSize(4).allMatch(f -> f.after() < f.before() * 0.95);
      assertThat(fits.get(0).after()).isLessThan(fits.get(0).before() * 0.6);
      assertThat(fits.get(3).layer()).startsWith("decoder.");
    }
  }

  private static int[] ids(RandomStream r) {
    int[] ids = new int[4 + r.nextInt(6)];
    Arrays.setAll(ids, i -> 2 + r.nextInt(38));
    return ids;
  }
}
