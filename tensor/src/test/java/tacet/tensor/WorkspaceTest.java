package tacet.tensor;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class WorkspaceTest {
  /** What a training step does: takes arrays of some sizes per token, and gives all back. */
  private static void step(Workspace w, int tokens) {
    List<float[]> held = new ArrayList<>();
    List<int[]> places = new ArrayList<>();
    for (int layer = 0; layer < 6; layer++) {
      for (int width : new int[] {384, 384, 1536, 384, 12}) {
        held.add(w.take(tokens * width));
      }
      places.add(w.takeInts(tokens * 5));
    }
    held.forEach(w::give);
    places.forEach(w::give);
  }

  @Test
  void aSteadyStepAllocatesNothing() {
    Workspace w = new Workspace();
    step(w, 100);
    long before = w.allocatedBytes();
    for (int i = 0; i < 10; i++) {
      step(w, 100);
    }
    assertEquals(before, w.allocatedBytes());
  }

  @Test
  void shorterStepsUseTheArraysOfLongerOnes() {
    Workspace w = new Workspace();
    step(w, 100);
    long before = w.allocatedBytes();
    step(w, 90);
    assertEquals(before, w.allocatedBytes());
  }

  @Test
  void batchesOfGrowingLengthDoNotPileUp() {
    Workspace w = new Workspace();
    for (int tokens = 64; tokens < 1000; tokens += 17) {
      step(w, tokens);
      assertTrue(
          w.heldBytes() <= 1.5 * w.peakBytes(),
          tokens + " tokens: " + w.heldBytes() + " of " + w.peakBytes());
    }
    for (int i = 0; i < 500; i++) {
      step(w, 64 + (i * 389) % 936); // every length, in no order
      assertTrue(w.heldBytes() <= 1.5 * w.peakBytes());
    }
  }

  @Test
  void whatWasLongestWithoutUseIsLetGoFirst() {
    Workspace w = new Workspace();
    float[] old = w.take(1000);
    float[] young = w.take(1000);
    w.give(old);
    w.give(young);
    float[] large = w.take(2500); // 2 * 1000 + 2500 is more than it may hold
    w.give(large);
    assertSame(large, w.take(2500));
    assertSame(young, w.take(1000));
    assertNotSame(old, w.take(1000));
  }

  @Test
  void aPoisonedWorkspaceHandsOutNoOldValues() {
    Workspace w = new Workspace(true);
    float[] a = w.take(10);
    assertTrue(Float.isNaN(a[9]));
    a[9] = 1;
    w.give(a);
    assertTrue(Float.isNaN(w.take(10)[9]));
  }
}
