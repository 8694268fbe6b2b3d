/**
 * Checkpoint files: safetensors, torch zip files, Hugging Face directories, ONNX weights, and the
 * JSON they use.
 *
 * <p>{@link tacet.transformer.checkpoint.Checkpoint} is a model at rest, {@link
 * tacet.transformer.checkpoint.Weights} the view it is loaded through, {@link
 * tacet.transformer.checkpoint.TensorFile} a single file of tensors. What is damaged, hostile or not
 * what it says is refused with a {@link tacet.transformer.checkpoint.FormatException} that names the
 * file; files are written beside their place and renamed.
 */
package tacet.transformer.checkpoint;
