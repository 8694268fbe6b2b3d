package tacet.transformer.text;

import java.util.List;
import tacet.transformer.text.PreTokenizers.Delimiter;

/** Cuts a text at delimiters that are reported from left to right. */
final class Cutter {
  private final Text text;
  private final Delimiter behavior;
  private final List<Text> out;
  private int pending; // start of the piece that is not cut yet
  private int previousEnd = -1; // end of the last delimiter

  Cutter(Text text, Delimiter behavior, List<Text> out) {
    this.text = text;
    this.behavior = behavior;
    this.out = out;
    this.pending = text.from;
  }

  /** A delimiter at {@code [from, to)}; what lies between two delimiters is a word. */
  void delimiter(int from, int to) {
    switch (behavior) {
      case REMOVED -> {
        cut(from);
        pending = to;
      }
      case ISOLATED -> {
        cut(from);
        cut(to);
      }
      case CONTIGUOUS -> {
        if (from != previousEnd) {
          cut(previousEnd);
          cut(from);
        }
      }
      case MERGED_WITH_PREVIOUS -> cut(to);
      case MERGED_WITH_NEXT -> cut(from);
    }
    previousEnd = to;
  }

  /** The end of the text. */
  void finish() {
    if (behavior == Delimiter.CONTIGUOUS) {
      cut(previousEnd);
    }
    cut(text.to);
  }

  private void cut(int end) {
    if (end > pending) {
      out.add(text.slice(pending, end));
      pending = end;
    }
  }
}
