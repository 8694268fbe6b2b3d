package tacet.hardware;

import java.io.IOException;

/** A trace, configuration or topology file that is not what it should be. The message says where and what. */
public final class FormatException extends IOException {

  private static final long serialVersionUID = 1;

  private FormatException(String message) {
    super(message);
  }

  /** A problem in a line of text, counted from 1. */
  public static FormatException atLine(String file, int line, String problem) {
    return new FormatException(file + ", line " + line + ": " + problem);
  }

  /** A problem at a byte offset of a binary part. */
  public static FormatException atOffset(String file, long offset, String problem) {
    return new FormatException(file + ", offset " + offset + ": " + problem);
  }
}
