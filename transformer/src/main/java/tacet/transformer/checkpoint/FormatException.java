package tacet.transformer.checkpoint;

import java.io.IOException;

/**
 * A file is not what it says it is: truncated, corrupt, hostile, or of a kind that is not
 * supported. The message names the file, the place, what is wrong and what can be done.
 */
public final class FormatException extends IOException {
  private static final long serialVersionUID = 1L;

  private final String file;

  /**
   * An error in a file.
   *
   * @param file name of the file (or of the text that was parsed)
   * @param problem what is wrong and where, one sentence without the file's name
   */
  public FormatException(String file, String problem) {
    super(file + ": " + problem);
    this.file = file;
  }

  /** Same, with the error that revealed it. */
  public FormatException(String file, String problem, Throwable cause) {
    super(file + ": " + problem, cause);
    this.file = file;
  }

  /** Name of the offending file. */
  public String file() {
    return file;
  }
}
