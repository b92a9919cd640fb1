/** The program whose heap becomes a snapshot: it loads the command, as far as `run` needs it for one architecture, and ends. */
import { main } from '../program.ts';
import { hold } from './held.ts';

hold({ main });
