package tacet.transformer.checkpoint;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * The entries of a zip file that are stored without compression, as slices of the mapped file:
 * {@code torch.save} writes such files, and {@code java.util.zip} cannot say where an entry lies.
 *
 * <p>Field offsets are those of PKWARE's APPNOTE.TXT 6.3.10, sections 4.3.7 (local header), 4.3.12
 * (central directory), 4.3.14 to 4.3.16 (ends of it) and 4.5.3 (sizes beyond 32 bits).
 */
final class StoredZip {
  /** Far more than a model has storages; each takes some memory here. */
  private static final int MAX_ENTRIES = 1_000_000;

  private static final int LOCAL = 0x04034b50;
  private static final int CENTRAL = 0x02014b50;
  private static final int END = 0x06054b50;
  private static final int END64 = 0x06064b50;
  private static final int LOCATOR64 = 0x07064b50;
  private static final int END_SIZE = 22;
  private static final int CENTRAL_SIZE = 46;
  private static final int LOCAL_SIZE = 30;
  private static final long IN_ZIP64 = 0xffffffffL; // "see the extra field"

  private static final ValueLayout.OfShort U16 =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfInt U32 =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfLong U64 =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final String file;
  private final MemorySegment zip;
  private final Map<String, MemorySegment> entries = new LinkedHashMap<>();

  private StoredZip(String file, MemorySegment zip) {
    this.file = file;
    this.zip = zip;
  }

  /** Whether bytes begin like a zip file. */
  static boolean isZip(MemorySegment bytes) {
    return bytes.byteSize() >= 4 && bytes.get(U32, 0) == LOCAL;
  }

  /**
   * Finds all entries.
   *
   * @param zip the whole file; not modified
   * @param file its name for messages
   * @return name to contents, in the order of the directory
   * @throws FormatException if it is damaged, or an entry is compressed or encrypted
   */
  static Map<String, MemorySegment> entries(MemorySegment zip, String file) throws FormatException {
    StoredZip reader = new StoredZip(file, zip);
    reader.readDirectory();
    return reader.entries;
  }

  private void readDirectory() throws FormatException {
    long end = findEnd();
    long count = u16(end + 10);
    long at = u32(end + 16);
    if (end >= 20 && u32(end - 20) == LOCATOR64) {
      long end64 = u64(end - 20 + 8);
      if (u32(end64) != END64) {
        throw error("damaged zip file: no zip64 directory at " + end64);
      }
      count = u64(end64 + 32);
      at = u64(end64 + 48);
    }
    if (count < 0 || count > MAX_ENTRIES) {
      throw error("zip file of " + Long.toUnsignedString(count) + " entries is too large");
    }
    for (long i = 0; i < count; i++) { // each step reads, and so ends at the end of the file
      at = readEntry(at);
    }
  }

  /** The end record is last, but for a comment of up to 65535 bytes. */
  private long findEnd() throws FormatException {
    long last = zip.byteSize() - END_SIZE;
    for (long at = last; at >= Math.max(0, last - 0xffff); at--) {
      if (u32(at) == END) {
        return at;
      }
    }
    throw error("truncated zip file: its directory is missing");
  }

  private long readEntry(long at) throws FormatException {
    if (u32(at) != CENTRAL) {
      throw error("damaged zip file: no directory entry at " + at);
    }
    int nameLength = u16(at + 28);
    int extraLength = u16(at + 30);
    long extra = at + CENTRAL_SIZE + nameLength;
    String name = Utf8.decode(slice(at + CENTRAL_SIZE, nameLength), file);
    long compressed = u32(at + 20);
    long size = u32(at + 24);
    long local = u32(at + 42);
    // The zip64 field holds, in this order, only those that did not fit.
    long wide = zip64Field(extra, extraLength);
    if (size == IN_ZIP64) {
      size = u64(wide);
      wide += 8;
    }
    if (compressed == IN_ZIP64) {
      compressed = u64(wide);
      wide += 8;
    }
    if (local == IN_ZIP64) {
      local = u64(wide);
    }
    boolean encrypted = (u16(at + 8) & 1) != 0;
    if (u16(at + 10) != 0 || size != compressed || encrypted) {
      throw error(
          "zip entry "
              + TensorInfo.quoted(name)
              + " is compressed or encrypted, which torch.save never does");
    }
    if (u32(local) != LOCAL) {
      throw error("damaged zip file: no entry at " + local);
    }
    // The local name and extra field may be longer than the directory's: torch pads there.
    long data = local + LOCAL_SIZE + u16(local + 26) + u16(local + 28);
    check(data, size);
    if (entries.put(name, zip.asSlice(data, size)) != null) {
      throw error("two zip entries named " + TensorInfo.quoted(name));
    }
    return extra + extraLength + u16(at + 32);
  }

  /** Where the values of the extra field 0x0001 begin; past the file if there is none. */
  private long zip64Field(long extra, int length) throws FormatException {
    for (long at = extra; at + 4 <= extra + length; at += 4 + u16(at + 2)) {
      if (u16(at) == 1) {
        return at + 4;
      }
    }
    return zip.byteSize();
  }

  private byte[] slice(long at, long size) throws FormatException {
    check(at, size);
    return zip.asSlice(at, size).toArray(ValueLayout.JAVA_BYTE);
  }

  private int u16(long at) throws FormatException {
    check(at, 2);
    return zip.get(U16, at) & 0xffff;
  }

  private long u32(long at) throws FormatException {
    check(at, 4);
    return zip.get(U32, at) & 0xffffffffL;
  }

  /** Sizes and offsets from 2^63 on come out negative, and {@link #check} refuses them. */
  private long u64(long at) throws FormatException {
    check(at, 8);
    return zip.get(U64, at);
  }

  private void check(long at, long size) throws FormatException {
    if (at < 0 || size < 0 || at > zip.byteSize() || size > zip.byteSize() - at) {
      throw error("damaged or truncated zip file: it points past its end");
    }
  }

  private FormatException error(String problem) {
    return new FormatException(file, problem);
  }
}
