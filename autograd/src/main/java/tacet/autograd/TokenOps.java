package tacet.autograd;

import java.util.Arrays;
import tacet.tensor.Shape;
import tacet.tensor.Tensor;

/**
 * Operators that pick, put together and cut token vectors, as {@link Ops} otherwise.
 *
 * <p>Letters: B batch, S sequence, D width, T = B·S tokens.
 */
public final class TokenOps {
  private TokenOps() {}

  /**
   * One token of every example: y[b] = x[b, at[b]]; dX is dY there and 0 elsewhere.
   *
   * @param x [B, S, D]
   * @param at B positions in 0 to S − 1
   * @return [B, D]
   */
  public static Var pick(Pass pass, Var x, int[] at) {
    int b = x.shape().dim(0);
    int s = x.shape().dim(1);
    int d = x.shape().dim(2);
    if (at.length != b) {
      throw new IllegalArgumentException("pick: " + at.length + " positions for " + x.shape());
    }
    int[] from = new int[b]; // where each picked vector begins
    for (int i = 0; i < b; i++) {
      if (at[i] < 0 || at[i] >= s) {
        throw new IndexOutOfBoundsException(
            "position " + at[i] + " of example " + i + " is not one of " + s + " tokens");
      }
      from[i] = (i * s + at[i]) * d;
    }
    Tensor y = pass.take(Shape.of(b, d));
    for (int i = 0; i < b; i++) {
      System.arraycopy(x.value().data(), from[i], y.data(), i * d, d);
    }
    return pass.record(y)
        .from(
            x,
            (dY, dX) -> {
              Arrays.fill(dX.data(), 0, dX.size(), 0f);
              for (int i = 0; i < b; i++) {
                System.arraycopy(dY.data(), i * d, dX.data(), from[i], d);
              }
            })
        .done();
  }

  /** The same vectors before the tokens of every example: all columns; see the other method. */
  public static Var prepend(Pass pass, Parameter table, Var x) {
    return prepend(pass, table, table.shape().rows(), 0, x);
  }

  /**
   * The same vectors before the tokens of every example, D columns of a table: y[b] = (table[·, from
   * … from + D), x[b]); dTable = Σ_b dY[b, 0 … M) there and 0 in the other columns, dX is the rest of
   * dY.
   *
   * @param table [.., W], rows of any number of dimensions
   * @param m M, how many of the rows; the gradient of the others is 0
   * @param from first of the columns
   * @param x [B, S, D]
   * @return [B, M + S, D]
   */
  public static Var prepend(Pass pass, Parameter table, int m, int from, Var x) {
    int b = x.shape().dim(0);
    int d = x.shape().dim(2);
    int w = table.shape().last();
    if (m < 0 || m > table.shape().rows() || from < 0 || from + d > w) {
      throw new IllegalArgumentException(
          "prepend: "
              + m
              + " rows and columns from "
              + from
              + " of "
              + table.shape()
              + " meet tokens of width "
              + d);
    }
    int n = x.shape().dim(1) * d; // values of an example in x
    int all = m * d + n;
    Tensor y = pass.take(Shape.of(b, m + x.shape().dim(1), d));
    for (int i = 0; i < b; i++) {
      for (int row = 0; row < m; row++) {
        System.arraycopy(table.value().data(), row * w + from, y.data(), i * all + row * d, d);
      }
      System.arraycopy(x.value().data(), i * n, y.data(), i * all + m * d, n);
    }
    Tape.Vjp adding =
        (dY, dT) -> {
          for (int i = 0; i < b; i++) {
            for (int row = 0; row < m; row++) {
              pass.kernels().addRow(dY.data(), i * all + row * d, d, dT.data(), row * w + from);
            }
          }
        };
    return pass.record(y)
        .from(
            table,
            (dY, dT) -> {
              Arrays.fill(dT.data(), 0, dT.size(), 0f);
              adding.write(dY, dT);
            })
        .adding(adding)
        .from(
            x,
            (dY, dX) -> {
              for (int i = 0; i < b; i++) {
                System.arraycopy(dY.data(), i * all + m * d, dX.data(), i * n, n);
              }
            })
        .done();
  }

  /**
   * The same table added to every example: y[b] = x[b] + table; dTable = Σ_b dY[b], dX = dY.
   *
   * @param x [B, S, D]
   * @param table S·D values of any shape
   */
  public static Var addToEach(Pass pass, Var x, Parameter table) {
    int b = x.shape().dim(0);
    int n = x.shape().dim(1) * x.shape().dim(2);
    if (table.shape().size() != n) {
      throw new IllegalArgumentException(
          "addToEach: a table of shape " + table.shape() + " meets " + x.shape());
    }
    Tensor y = pass.take(x.shape());
    for (int i = 0; i < b; i++) {
      pass.kernels().add(x.value().data(), i * n, table.value().data(), 0, n, y.data(), i * n);
    }
    return pass.record(y)
        .from(x, (dY, dX) -> Ops.copy(pass, dY, dX))
        .from(table, (dY, dT) -> sumExamples(pass, dY, b, n, dT))
        .done();
  }

  /**
   * Neighbouring columns: y[t, j] = x[t, from + j]; dX is dY there and 0 elsewhere.
   *
   * @param x [.., W]
   * @return [.., width]
   */
  public static Var columns(Pass pass, Var x, int from, int width) {
    int w = x.shape().last();
    if (from < 0 || width < 0 || from + width > w) {
      throw new IndexOutOfBoundsException(
          "columns " + from + " to " + (from + width) + " of " + x.shape());
    }
    int t = x.shape().rows();
    Tensor y = pass.take(x.shape().withLast(width));
    Rows.forEachRow(
        pass,
        t,
        width,
        (row, n) -> {
          for (int i = row; i < row + n; i++) {
            System.arraycopy(x.value().data(), i * w + from, y.data(), i * width, width);
          }
        });
    return pass.record(y)
        .from(
            x,
            (dY, dX) ->
                Rows.forEachRow(
                    pass,
                    t,
                    w,
                    (row, n) -> {
                      for (int i = row; i < row + n; i++) {
                        Arrays.fill(dX.data(), i * w, (i + 1) * w, 0f);
                        System.arraycopy(dY.data(), i * width, dX.data(), i * w + from, width);
                      }
                    }))
        .done();
  }

  /** sums[j] = Σ_b x[b · stride + j], in the order of examples. */
  private static void sumExamples(Pass pass, Tensor x, int b, int stride, Tensor sums) {
    Arrays.fill(sums.data(), 0, sums.size(), 0f);
    for (int i = 0; i < b; i++) {
      pass.kernels().addRow(x.data(), i * stride, sums.size(), sums.data(), 0);
    }
  }
}
