/**
 * Pixels to tensors, as Hugging Face's image processors make them. Reading image files is not here:
 * it would tie the library to java.desktop, and those who have pixels need none of it.
 */
package tacet.transformer.image;
