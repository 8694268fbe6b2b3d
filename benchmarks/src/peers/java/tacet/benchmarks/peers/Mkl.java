package tacet.benchmarks.peers;

import static org.bytedeco.mkl.global.mkl_rt.CblasBMatrix;
import static org.bytedeco.mkl.global.mkl_rt.CblasNoTrans;
import static org.bytedeco.mkl.global.mkl_rt.CblasPacked;
import static org.bytedeco.mkl.global.mkl_rt.CblasRowMajor;
import static org.bytedeco.mkl.global.mkl_rt.CblasTrans;
import static org.bytedeco.mkl.global.mkl_rt.SPARSE_INDEX_BASE_ZERO;
import static org.bytedeco.mkl.global.mkl_rt.SPARSE_LAYOUT_ROW_MAJOR;
import static org.bytedeco.mkl.global.mkl_rt.SPARSE_MATRIX_TYPE_GENERAL;
import static org.bytedeco.mkl.global.mkl_rt.SPARSE_OPERATION_NON_TRANSPOSE;
import static org.bytedeco.mkl.global.mkl_rt.cblas_sgemm;
import static org.bytedeco.mkl.global.mkl_rt.cblas_sgemm_compute;
import static org.bytedeco.mkl.global.mkl_rt.cblas_sgemm_pack;
import static org.bytedeco.mkl.global.mkl_rt.cblas_sgemm_pack_get_size;
import static org.bytedeco.mkl.global.mkl_rt.cblas_sgemv;
import static org.bytedeco.mkl.global.mkl_rt.mkl_sparse_s_create_csr;
import static org.bytedeco.mkl.global.mkl_rt.mkl_sparse_s_mm;

import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.IntPointer;
import org.bytedeco.mkl.global.mkl_rt;
import org.bytedeco.mkl.global.mkl_rt.matrix_descr;
import org.bytedeco.mkl.global.mkl_rt.sparse_matrix;
import tacet.benchmarks.Peer;

/** Intel MKL by bytedeco's binding: sgemm, its packed form, and the product with a CSR matrix. */
public final class Mkl implements Peer {
  /** For the service loader. */
  public Mkl() {}

  @Override
  public String name() {
    return "MKL";
  }

  @Override
  public String version() {
    byte[] text = new byte[200];
    mkl_rt.MKL_Get_Version_String(text, text.length);
    return new String(text, java.nio.charset.StandardCharsets.US_ASCII).replace('\0', ' ').strip();
  }

  @Override
  public void threads(int n) {
    mkl_rt.MKL_Set_Dynamic(0);
    mkl_rt.MKL_Set_Num_Threads(n);
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

  @Override
  public Operation packedProduct(Product p) {
    int m = p.m();
    int n = p.n();
    int k = p.k();
    FloatPointer a = Native.copy(p.a());
    FloatPointer b = Native.copy(p.b());
    FloatPointer c = Native.floats((long) m * n);
    FloatPointer packed = Native.floats(cblas_sgemm_pack_get_size(CblasBMatrix, m, n, k) / 4 + 1);
    cblas_sgemm_pack(CblasRowMajor, CblasBMatrix, CblasNoTrans, m, n, k, 1, b, n, packed);
    b.deallocate();
    return new Native(
        () ->
            cblas_sgemm_compute(
                CblasRowMajor, CblasNoTrans, CblasPacked, m, n, k, a, k, packed, n, 0, c, n),
        c,
        m * n,
        a,
        packed);
  }

  @Override
  public Operation sparseProduct(Product p) {
    int m = p.m();
    int n = p.n();
    int k = p.k();
    int active = 0;
    for (float v : p.a()) {
      active += v != 0 ? 1 : 0;
    }
    IntPointer starts = new IntPointer(m + 1L);
    IntPointer columns = new IntPointer(Math.max(1L, active));
    FloatPointer values = Native.floats(Math.max(1, active));
    int at = 0;
    for (int i = 0; i < m; i++) {
      starts.put(i, at);
      for (int j = 0; j < k; j++) {
        float v = p.a()[i * k + j];
        if (v != 0) {
          columns.put(at, j);
          values.put(at++, v);
        }
      }
    }
    starts.put(m, at);
    sparse_matrix matrix = new sparse_matrix();
    check(
        mkl_sparse_s_create_csr(
            matrix, SPARSE_INDEX_BASE_ZERO, m, k, starts, starts.getPointer(1), columns, values));
    FloatPointer b = Native.copy(p.b());
    FloatPointer c = Native.floats((long) m * n);
    matrix_descr general = new matrix_descr(1).type(SPARSE_MATRIX_TYPE_GENERAL);
    return new Native(
        () ->
            check(
                mkl_sparse_s_mm(
                    SPARSE_OPERATION_NON_TRANSPOSE,
                    1,
                    matrix,
                    general,
                    SPARSE_LAYOUT_ROW_MAJOR,
                    b,
                    n,
                    n,
                    0,
                    c,
                    n)),
        c,
        m * n,
        b,
        starts,
        columns,
        values);
  }

  private static void check(int status) {
    if (status != 0) {
      throw new IllegalStateException("MKL's sparse product fails with status " + status);
    }
  }
}
