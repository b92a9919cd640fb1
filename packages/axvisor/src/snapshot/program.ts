/** The program whose heap becomes a snapshot: it loads the command, as far as `run` needs it for one architecture, and ends. */
import type { Architecture } from '@axvisor/axvisor_api/processor';
import { main } from '../program.ts';
import { hold } from './held.ts';
import { rehearse } from './rehearsal.ts';

/** Put there by the bundler. */
declare const AXVISOR_ARCHITECTURE: Architecture;

hold({ main });
// The snapshot is made when there is nothing left to do.
void rehearse(AXVISOR_ARCHITECTURE);
