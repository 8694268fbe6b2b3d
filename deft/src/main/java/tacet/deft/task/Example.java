package tacet.deft.task;

import java.util.Objects;

/**
 * One labelled text, or pair of texts.
 *
 * @param text the first (or only) text
 * @param pair the second text of a pair task; null where there is only one
 * @param label the class index as a whole number, or the target value of a regression
 */
public record Example(String text, String pair, double label) {
  /** Refuses a missing text and a label that is not a number. */
  public Example {
    Objects.requireNonNull(text, "text");
    if (!Double.isFinite(label)) {
      throw new IllegalArgumentException("label is " + label + ", expected a finite number");
    }
  }

  /** The label of a classification. */
  public int labelIndex() {
    return (int) label;
  }
}
