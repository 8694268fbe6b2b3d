/** SCALE-Sim's configuration, topology and report files, and reports as CSV, Markdown and JSON. */
package tacet.hardware.io;
