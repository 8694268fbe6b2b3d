package tacet.benchmarks.peers;

import static org.bytedeco.openblas.global.openblas_nolapack.CblasNoTrans;
import static org.bytedeco.openblas.global.openblas_nolapack.CblasRowMajor;
import static org.bytedeco.openblas.global.openblas_nolapack.CblasTrans;
import static org.bytedeco.openblas.global.openblas_nolapack.OPENBLAS_VERSION;
import static org.bytedeco.openblas.global.openblas_nolapack.cblas_sgemm;
import static org.bytedeco.openblas.global.openblas_nolapack.cblas_sgemv;

import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.openblas.global.openblas_nolapack;
import tacet.benchmarks.Peer;

/** OpenBLAS by bytedeco's binding. */
public final class OpenBlas implements Peer {
  /** For the service loader. */
  public OpenBlas() {}

  @Override
  public String name() {
    return "OpenBLAS";
  }

  @Override
  public String version() {
    return OPENBLAS_VERSION.strip();
  }

  @Override
  public void threads(int n) {
    openblas_nolapack.blas_set_num_threads(n);
  }

  @Override
  public Operation product(Product p) {
    int n = p.n();
    int k = p.k();
    FloatPointer a = Native.copy(p.a());
    FloatPointer b = Native.copy(p.b());
    FloatPointer c = Native.floats((long) p.m() * n);
    Runnable call =
        p.m() == 1
            ? () -> cblas_sgemv(CblasRowMajor, CblasTrans, k, n, 1, b, n, a, 1, 0, c, 1)
            : () ->
                cblas_sgemm(
                    CblasRowMajor, CblasNoTrans, CblasNoTrans, p.m(), n, k, 1, a, k, b, n, 0, c, n);
    return new Native(call, c, p.m() * n, a, b);
  }
}
