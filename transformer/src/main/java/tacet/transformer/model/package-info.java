/** The architectures, one file each. */
package tacet.transformer.model;
