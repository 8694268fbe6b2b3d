package tacet.tensor.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.api.Test;
import tacet.tensor.Engine;
import tacet.tensor.Workers;
import tacet.tensor.Workspace;

class AttentionKernelTest {
  private static double[] oracle(
      AttentionKernel a, float[] q, float[] k, float[] v, float[] keyBias, double[] keep) {
    int s = a.length();
    int w = a.headWidth();
    int d = a.heads() * w;
    double[] out = new double[a.batch() * s * d];
    for (int b = 0; b < a.batch(); b++) {
      for (int h = 0; h < a.heads(); h++) {
        for (int i = 0; i < s; i++) {
          double[] p = new double[s];
          double max = Double.NEGATIVE_INFINITY;
          for (int j = 0; j < s; j++) {
            for (int c = 0; c < w; c++) {
              p[j] += (double) q[(b * s + i) * d + h * w + c] * k[(b * s + j) * d + h * w + c];
            }
            p[j] = p[j] * a.scale() + keyBias[b * s + j];
            max = Math.max(max, p[j]);
          }
          double sum = 0;
          for (int j = 0; j < s; j++) {
            p[j] = Math.exp(p[j] - max);
            sum += p[j];
          }
          for (int j = 0; j < s; j++) {
            int u = b * a.heads() + h;
            double weight = p[j] / sum * keep[(u * s + i) * s + j];
            for (int c = 0; c < w; c++) {
              out[(b * s + i) * d + h * w + c] += weight * v[(b * s + j) * d + h * w + c];
            }
          }
        }
      }
    }
    return out;
  }

  @Test
  void forwardAndGradientAgreeWithDouble() {
    for (int[] shape : new int[][] {{2, 5, 3, 4}, {1, 33, 2, 8}, {2, 17, 1, 40}}) {
      int n = shape[0] * shape[1] * shape[2] * shape[3];
      int pairs = shape[0] * shape[2] * shape[1] * shape[1];
      float[] q = Samples.uniform(1, n, 1);
      float[] k = Samples.uniform(2, n, 1);
      float[] v = Samples.uniform(3, n, 1);
      float[] dOut = Samples.uniform(4, n, 1);
      float[] keyBias = new float[shape[0] * shape[1]];
      keyBias[shape[1] - 1] = -Float.MAX_VALUE;
      for (int threshold : new int[] {0, 1 << 22}) {
        AttentionKernel a =
            new AttentionKernel(
                shape[0], shape[1], shape[2], shape[3], 0.7f, keyBias, 99, threshold, 4 / 3f);
        double[] keep = new double[pairs];
        for (int i = 0; i < pairs; i++) {
          boolean kept = threshold == 0 || ScalarMath.hash24(i, 99, 0) >= threshold;
          keep[i] = kept ? threshold == 0 ? 1 : 4 / 3.0 : 0;
        }
        float[][] first = null;
        for (int threads = 1; threads <= 2; threads++) {
          for (Kernels kernels : new Kernels[] {Kernels.best(), new ScalarKernels()}) {
            try (Engine e = new Engine(kernels, new Workers(threads), new Workspace(true))) {
              float[] p = new float[pairs];
              float[][] r = new float[5][n];
              a.forward(e, q, k, v, p, r[0]);
              a.forward(e, q, k, v, null, r[1]);
              assertThat(r[1]).isEqualTo(r[0]);
              a.backward(e, dOut, q, k, v, p, r[2], r[3], r[4]);
              first = first == null ? r : first;
              assertThat(r).isDeepEqualTo(first);
            }
          }
        }
        double[] expected = oracle(a, q, k, v, keyBias, keep);
        for (int i = 0; i < n; i++) {
          assertThat((double) first[0][i]).isCloseTo(expected[i], within(1e-5));
        }
        // One random direction per input: ⟨dInput, δ⟩ equals the change of ⟨dOut, out⟩.
        float[][] inputs = {q, k, v};
        for (int input = 0; input < 3; input++) {
          float[] delta = Samples.uniform(10 + input, n, 1e-3);
          float[] saved = inputs[input].clone();
          double[] values = new double[2];
          for (int side = 0; side < 2; side++) {
            for (int i = 0; i < n; i++) {
              inputs[input][i] = saved[i] + (side == 0 ? delta[i] : -delta[i]);
            }
            double[] out = oracle(a, q, k, v, keyBias, keep);
            for (int i = 0; i < n; i++) {
              values[side] += out[i] * dOut[i];
            }
          }
          double predicted = 0;
          for (int i = 0; i < n; i++) {
            // The inputs really used are floats: take the exact difference.
            double step = (double) (saved[i] + delta[i]) - (saved[i] - delta[i]);
            predicted += first[2 + input][i] * step / 2;
          }
          System.arraycopy(saved, 0, inputs[input], 0, n);
          assertThat(predicted)
              .as("input " + input)
              .isCloseTo((values[0] - values[1]) / 2, within(2e-6));
        }
      }
    }
  }
}
