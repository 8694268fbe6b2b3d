package tacet.transformer.text;

import java.util.Arrays;

/**
 * Strings to non-negative ints by UTF-16 units, walked one unit at a time: {@code node =
 * trie.step(node, c)} from {@link #ROOT} until it is {@link #NONE}. Filled once and then only read.
 */
final class Trie {
  static final int ROOT = 0;
  static final int NONE = -1;

  private final LongIntMap edges;
  private int[] values = new int[64];
  private int nodes = 1;

  Trie(int expectedStrings) {
    edges = new LongIntMap(4 * expectedStrings);
    Arrays.fill(values, NONE);
  }

  /** Gives a string a value; a later one replaces an earlier one. */
  void put(String key, int value) {
    int node = ROOT;
    for (int i = 0; i < key.length(); i++) {
      int next = step(node, key.charAt(i));
      if (next == NONE) {
        next = nodes++;
        edges.put((long) node << 16 | key.charAt(i), next);
        if (next >= values.length) {
          int old = values.length;
          values = Arrays.copyOf(values, 2 * old);
          Arrays.fill(values, old, values.length, NONE);
        }
      }
      node = next;
    }
    values[node] = value;
  }

  /** The node after one more unit, or {@link #NONE}. */
  int step(int node, char c) {
    return edges.get((long) node << 16 | c);
  }

  /** The node at the end of a string, or {@link #NONE}. */
  int find(String s) {
    int node = ROOT;
    for (int i = 0; i < s.length() && node != NONE; i++) {
      node = step(node, s.charAt(i));
    }
    return node;
  }

  /** The value of the string that ends at a node, or {@link #NONE}. */
  int value(int node) {
    return values[node];
  }
}
