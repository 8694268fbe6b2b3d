package tacet.transformer.checkpoint;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;

/** Strict UTF-8: what is malformed is an error, not a replacement character. */
final class Utf8 {
  private Utf8() {}

  /**
   * Decodes bytes.
   *
   * @param bytes UTF-8; not modified
   * @param file stands for them in the error message
   * @throws FormatException if they are not valid UTF-8
   */
  static String decode(byte[] bytes, String file) throws FormatException {
    String text = new String(bytes, StandardCharsets.UTF_8);
    if (text.indexOf('\uFFFD') < 0) {
      return text; // nothing was replaced: the fast way, without a second copy
    }
    try {
      return StandardCharsets.UTF_8
          .newDecoder()
          .onMalformedInput(CodingErrorAction.REPORT)
          .decode(ByteBuffer.wrap(bytes))
          .toString();
    } catch (CharacterCodingException e) {
      throw new FormatException(file, "not valid UTF-8", e);
    }
  }
}
