package tacet.transformer.text;

import java.util.ArrayList;
import java.util.List;

/**
 * How to shorten what is too long.
 *
 * <pre>{@code
 * tokenizer.encode(text, pair, Truncation.to(128));
 * // SQuAD: the context in windows of 384 tokens that overlap by 128
 * tokenizer.windows(question, context,
 *     new Truncation(384, Truncation.Strategy.ONLY_SECOND, 128, Truncation.Side.RIGHT), true);
 * }</pre>
 *
 * @param maxLength tokens to keep, special tokens included
 * @param strategy which of two texts is shortened
 * @param stride tokens that a window repeats from the one before
 * @param side the end that is cut off
 */
public record Truncation(int maxLength, Strategy strategy, int stride, Side side) {

  /** Which of two texts is shortened. */
  public enum Strategy {
    /** The longer one, until both are equally long, then both. */
    LONGEST_FIRST,
    /** The text. */
    ONLY_FIRST,
    /** The pair. */
    ONLY_SECOND
  }

  /** The end that is cut off. */
  public enum Side {
    /** The beginning of the text. */
    LEFT,
    /** The end of the text. */
    RIGHT
  }

  /**
   * Checks the numbers.
   *
   * @throws IllegalArgumentException if a number is negative
   */
  public Truncation {
    if (maxLength < 0 || stride < 0) {
      throw new IllegalArgumentException(
          "negative truncation: maxLength " + maxLength + ", stride " + stride);
    }
  }

  /** The longest text first, at the right, without overlap. */
  public static Truncation to(int maxLength) {
    return new Truncation(maxLength, Strategy.LONGEST_FIRST, 0, Side.RIGHT);
  }

  /**
   * How many tokens of each text stay.
   *
   * @param room tokens that may stay in all
   * @param first tokens of the text
   * @param second tokens of the pair, -1 where there is none
   * @return {first, second}
   * @throws IllegalArgumentException if the text to shorten is missing or too short
   */
  int[] split(int room, int first, int second) {
    int excess = first + Math.max(0, second) - room;
    if (excess <= 0) {
      return new int[] {first, second};
    }
    if (room == 0) {
      return new int[] {0, Math.min(0, second)};
    }
    return switch (strategy) {
      case LONGEST_FIRST -> second < 0 ? new int[] {room, -1} : longestFirst(room, first, second);
      case ONLY_FIRST -> new int[] {shorten(first, excess, "text"), second};
      case ONLY_SECOND -> {
        if (second < 0) {
          throw new IllegalArgumentException("ONLY_SECOND needs a pair of texts");
        }
        yield new int[] {first, shorten(second, excess, "pair")};
      }
    };
  }

  private int shorten(int length, int excess, String which) {
    if (length <= excess) {
      throw new IllegalArgumentException(
          strategy
              + ": "
              + excess
              + " tokens are too many, and the "
              + which
              + " has only "
              + length);
    }
    return length - excess;
  }

  private static int[] longestFirst(int room, int first, int second) {
    int shorter = Math.min(first, second);
    int longer = shorter > room ? shorter : Math.max(shorter, room - shorter);
    if (shorter + longer > room) {
      shorter = room / 2;
      longer = shorter + room % 2;
    }
    return first <= second ? new int[] {shorter, longer} : new int[] {longer, shorter};
  }

  /**
   * The windows of {@code keep} tokens over {@code length} tokens, each overlapping the one before
   * by the stride; the first one is the truncated text itself.
   *
   * @return {from, to} of each window
   * @throws IllegalArgumentException if the stride is not smaller than {@code keep}
   */
  List<int[]> windows(int length, int keep) {
    if (keep >= length) {
      return List.of(new int[] {0, length});
    }
    if (keep == 0) {
      return List.of(new int[] {0, 0}, new int[] {0, length});
    }
    if (stride >= keep) {
      throw new IllegalArgumentException(
          "stride "
              + stride
              + " must be smaller than the "
              + keep
              + " tokens a window has room for");
    }
    List<int[]> windows = new ArrayList<>();
    int step = keep - stride;
    boolean right = side == Side.RIGHT;
    for (int i = 0; ; i += step) {
      int from = right ? i : Math.max(0, length - i - keep);
      int to = right ? Math.min(length, i + keep) : length - i;
      windows.add(new int[] {from, to});
      if (right ? to == length : from == 0) {
        return windows;
      }
    }
  }
}
