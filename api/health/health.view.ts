import { Choice, Flag, ListOf } from '../common/fields.js';
import { readinessParts } from './readiness.js';

/** The process runs. */
export class AliveView {
  @Choice(['ok'], { description: 'Always.' })
  status: string;
}

/** A part that is needed. */
export class PartView {
  @Choice(readinessParts, {
    description: '`accepting`: the process was not asked to end. `workers`: somebody asks for work of each task queue.',
  })
  part: string;

  @Flag({ description: 'It answers.' })
  ready: boolean;
}

/** Whether requests can be answered. */
export class ReadyView {
  @Choice(['ready', 'not_ready'], { description: 'Whether every part answers.' })
  status: string;

  @ListOf(() => PartView, { max: 10, description: 'The parts.' })
  parts: PartView[];
}
