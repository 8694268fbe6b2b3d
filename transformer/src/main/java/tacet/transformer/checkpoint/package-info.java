/** Checkpoint files: safetensors, Hugging Face directories, ONNX weights, and the JSON they use. */
package tacet.transformer.checkpoint;
