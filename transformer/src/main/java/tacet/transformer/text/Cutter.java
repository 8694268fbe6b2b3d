package tacet.transformer.text;

import java.util.List;
import tacet.transformer.text.PreTokenizers.Delimiter;

/** Cuts a text that is reported from left to right as words and delimiters. */
final class Cutter {
  private final Text text;
  private final Delimiter behavior;
  private final List<Text> out;
  private int from; // the last piece, which may still grow
  private int to;
  private boolean lastIsDelimiter;
  private boolean lastIsKept;

  Cutter(Text text, Delimiter behavior, List<Text> out) {
    this.text = text;
    this.behavior = behavior;
    this.out = out;
    this.from = text.from;
    this.to = text.from;
  }

  /** A word up to {@code end}, which begins where the last part ended. */
  void word(int end) {
    part(end, false);
  }

  /** A delimiter up to {@code end}, which begins where the last part ended. */
  void delimiter(int end) {
    part(end, true);
  }

  private void part(int end, boolean isDelimiter) {
    boolean grows =
        switch (behavior) {
          case REMOVED, ISOLATED -> false;
          case CONTIGUOUS -> isDelimiter == lastIsDelimiter;
          case MERGED_WITH_PREVIOUS -> isDelimiter && !lastIsDelimiter;
          case MERGED_WITH_NEXT -> !isDelimiter && lastIsDelimiter;
        };
    if (!grows) {
      finish();
      from = to;
    }
    to = end;
    lastIsDelimiter = isDelimiter;
    lastIsKept = !isDelimiter || behavior != Delimiter.REMOVED;
  }

  /** The end of the text. */
  void finish() {
    if (lastIsKept && to > from) {
      out.add(text.slice(from, to));
    }
  }
}
