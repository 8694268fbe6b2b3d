package tacet.benchmarks;

import dev.ludovic.netlib.blas.BLAS;
import dev.ludovic.netlib.blas.JavaBLAS;
import java.util.ArrayList;
import java.util.List;
import java.util.ServiceLoader;
import org.ejml.data.FMatrixRMaj;
import org.ejml.dense.row.CommonOps_FDRM;

/** The libraries that this build has: the two in pure Java, and those of the profile {@code peers}. */
public final class Peers {
  private Peers() {}

  /** All of them, on the given number of threads each. */
  public static List<Peer> all(int threads) {
    List<Peer> peers = new ArrayList<>();
    ServiceLoader.load(Peer.class).forEach(peers::add);
    peers.add(new Netlib());
    peers.add(new Ejml());
    peers.forEach(p -> p.threads(threads));
    return peers;
  }

  /** The one of that name, or null if this build lacks it. */
  public static Peer named(String name, int threads) {
    for (Peer p : all(threads)) {
      if (p.name().equalsIgnoreCase(name)) {
        return p;
      }
    }
    return null;
  }

  /** EJML's products of one thread: scalar code in pure Java. */
  private static final class Ejml implements Peer {
    @Override
    public String name() {
      return "EJML";
    }

    @Override
    public String version() {
      return org.ejml.EjmlVersion.VERSION;
    }

    @Override
    public void threads(int n) {} // CommonOps_FDRM uses one

    @Override
    public Operation product(Product p) {
      FMatrixRMaj a = FMatrixRMaj.wrap(p.m(), p.k(), p.a());
      FMatrixRMaj b = FMatrixRMaj.wrap(p.k(), p.n(), p.b());
      FMatrixRMaj c = new FMatrixRMaj(p.m(), p.n());
      return new Operation() {
        @Override
        public void run() {
          CommonOps_FDRM.mult(a, b, c);
        }

        @Override
        public float[] result() {
          return c.data;
        }
      };
    }
  }

  /** dev.ludovic.netlib's BLAS in Java, vectors where the incubator module is there. */
  private static final class Netlib implements Peer {
    private final BLAS blas = JavaBLAS.getInstance();

    @Override
    public String name() {
      return "netlib";
    }

    @Override
    public String version() {
      return blas.getClass().getSimpleName();
    }

    @Override
    public void threads(int n) {} // it has one

    @Override
    public Operation product(Product p) {
      float[] c = new float[p.m() * p.n()];
      return new Operation() {
        @Override
        public void run() { // column-major: Cᵀ = Bᵀ Aᵀ
          int n = p.n();
          int k = p.k();
          blas.sgemm("N", "N", n, p.m(), k, 1f, p.b(), n, p.a(), k, 0f, c, n);
        }

        @Override
        public float[] result() {
          return c;
        }
      };
    }
  }
}
