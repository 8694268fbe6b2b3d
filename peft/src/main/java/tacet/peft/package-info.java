/**
 * Parameter-efficient fine-tuning: small trainable parts put into a frozen model by surgery, read
 * and written in the file formats of Hugging Face peft.
 */
package tacet.peft;
