/**
 * Density-efficient fine-tuning (DEFT, arXiv 2402.01911): the density loss, the measurement of
 * density, and the training loop. (Hugging Face peft's {@code DEFT} is another method of the same
 * name.)
 */
package tacet.deft;
