package tacet.benchmarks.peers;

import java.util.List;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.Pointer;
import tacet.benchmarks.Peer;

/** An operation on native memory. */
final class Native implements Peer.Operation {
  private final Runnable call;
  private final FloatPointer out;
  private final int size;
  private final List<Pointer> held;

  /**
   * Wraps a call.
   *
   * @param call reads and writes what {@code held} and {@code out} point to
   * @param out where the result is
   * @param size floats of the result
   * @param held freed with the operation
   */
  Native(Runnable call, FloatPointer out, int size, Pointer... held) {
    this.call = call;
    this.out = out;
    this.size = size;
    this.held = List.of(held);
  }

  /** Native memory for n floats on a boundary of 64 bytes. */
  static FloatPointer floats(long n) {
    FloatPointer p = new FloatPointer(n + 16);
    long misaligned = p.address() % 64 / 4;
    return misaligned == 0 ? p : p.getPointer(16 - misaligned);
  }

  /** A copy in native memory. */
  static FloatPointer copy(float[] x) {
    return floats(x.length).put(x, 0, x.length);
  }

  @Override
  public void run() {
    call.run();
  }

  @Override
  public float[] result() {
    float[] r = new float[size];
    out.get(r, 0, size);
    return r;
  }

  @Override
  public void close() {
    held.forEach(Pointer::deallocate);
    out.deallocate();
  }
}
