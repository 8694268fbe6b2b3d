package tacet.cli;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * Lets Ctrl-C (and the signal TERM) end a run after the step that it is in: the JVM waits until the
 * run has saved its state, then exits with 128 and the signal's number, 130 for Ctrl-C.
 */
final class StopSignal implements AutoCloseable {
  private static final int PATIENCE = 120; // seconds for one step and one checkpoint

  private final CountDownLatch saved = new CountDownLatch(1);
  private final Thread hook = new Thread(this::ask, "tacet-stop");
  private volatile boolean asked;

  private StopSignal() {}

  static StopSignal install() {
    StopSignal s = new StopSignal();
    Runtime.getRuntime().addShutdownHook(s.hook);
    return s;
  }

  private void ask() {
    asked = true;
    try {
      if (!saved.await(PATIENCE, TimeUnit.SECONDS)) {
        Thread.currentThread().interrupt();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** Whether the process is asked to end. */
  boolean asked() {
    return asked;
  }

  /** Says that everything is saved. */
  @Override
  public void close() {
    saved.countDown();
    if (!asked) {
      try {
        Runtime.getRuntime().removeShutdownHook(hook);
      } catch (IllegalStateException e) {
        asked = true; // the process is ending already; nothing is left to wait for
      }
    }
  }
}
