import { Body, Controller, Param } from '@nestjs/common';
import { capabilities, capabilitiesOf, type Capability } from '../../connectors/settings.js';
import type { SystemDefinition } from '../../domain/job-definition.js';
import { basePath } from '../common/base-path.js';
import { CurrentCaller, CurrentRequest, type Caller } from '../common/caller.js';
import { Endpoint, type SuccessReply } from '../common/endpoint.js';
import { ListOf, Text, Texts } from '../common/fields.js';
import type { Answer, HttpRequest } from '../common/http.js';
import { Idempotency } from '../common/idempotency.js';
import type { Plain } from '../common/plain-type.js';
import { refuseArchived } from '../configuration/changes.js';
import { ConfigurationStore } from '../configuration/configuration-store.js';
import { findRow } from '../configuration/resource.js';
import { systems } from '../configuration/resources.js';
import { AskSystem } from './ask.js';
import { InquiryView } from './inquiry.view.js';

/** What of a system is to be discovered. */
export class DiscoverBody {
  @Texts({
    ...{ optional: true, min: 1, max: 20, maxEach: 500, example: ['students'] },
    description:
      'Only these tables or files, each with figures of its first 10,000 rows; absent: all, without figures.',
  })
  entities?: string[];
}

/** Something that a system can do. */
export class CapabilityView {
  @Text({ max: 50, description: 'Its name.', example: 'snapshots' })
  name: string;

  @Text({ max: 200, description: 'In words: the system …', example: 'is read, whole or in partitions' })
  means: string;
}

/** What a system can do. */
export class CapabilitiesView {
  @ListOf(() => CapabilityView, { max: 50, description: 'By its kind and settings.' })
  items: CapabilityView[];
}

/** The replies of what a worker answers. */
export const inquiryReplies: readonly SuccessReply[] = [
  {
    status: 200,
    type: InquiryView,
    description: 'The answer, or why there is none.',
    headers: ['Idempotency-Replayed'],
  },
  {
    status: 202,
    type: InquiryView,
    description: 'It takes longer: look there.',
    headers: ['Location', 'Idempotency-Replayed'],
  },
];

const parameters = { systemId: 'The system: its id or its name.' };

/** What systems are asked while they are configured. Workers ask; the API never reaches a system. */
@Controller(basePath.slice(1))
export class InquiriesController {
  constructor(
    private readonly configurations: ConfigurationStore,
    private readonly asking: AskSystem,
    private readonly idempotency: Idempotency,
  ) {}

  @Endpoint({
    ...{
      method: 'post',
      path: 'systems/{systemId}/test',
      operationId: 'testSystem',
      tag: 'Systems',
      may: 'system:test',
    },
    summary: 'Does a system answer?',
    description: 'A worker connects with the settings as they are stored. A failure says its cause and what to do.',
    parameters,
    idempotencyKey: 'optional',
    replies: inquiryReplies,
    problems: ['state_forbids'],
  })
  async test(
    @CurrentCaller() caller: Caller,
    @CurrentRequest() request: HttpRequest,
    @Param('systemId') id: string,
  ): Promise<Answer<unknown>> {
    const subject = await this.systemNamed(caller, id);
    return await this.idempotency.once(caller, request, null, () =>
      this.asking.ask(caller, { kind: 'connection_test', subject }),
    );
  }

  @Endpoint({
    ...{ method: 'post', path: 'systems/{systemId}/discover', operationId: 'discoverSystem', tag: 'Systems' },
    may: 'system:discover',
    summary: 'What does a system hold?',
    description:
      'Tables or files with their columns, types and keys. Of those that are named also figures, without a sample of any value: rows read, share of blanks, different values, longest, form.',
    parameters,
    body: { type: DiscoverBody, example: { entities: ['students'] }, required: false },
    idempotencyKey: 'optional',
    replies: inquiryReplies,
    problems: ['state_forbids'],
  })
  async discover(
    @CurrentCaller() caller: Caller,
    @CurrentRequest() request: HttpRequest,
    @Param('systemId') id: string,
    @Body() body: DiscoverBody,
  ): Promise<Answer<unknown>> {
    const subject = await this.systemNamed(caller, id);
    const parameters = body.entities === undefined ? {} : { entities: body.entities };
    return await this.idempotency.once(caller, request, parameters, () =>
      this.asking.ask(caller, { kind: 'discovery', subject, parameters }),
    );
  }

  @Endpoint({
    ...{ method: 'get', path: 'systems/{systemId}/capabilities', operationId: 'getSystemCapabilities', tag: 'Systems' },
    may: 'system:read',
    summary: 'What can a system do?',
    description: 'By its kind and its settings; nothing is connected to.',
    parameters,
    replies: [{ status: 200, type: CapabilitiesView, description: 'What it can do.' }],
  })
  async capabilities(@CurrentCaller() caller: Caller, @Param('systemId') id: string): Promise<Plain<CapabilitiesView>> {
    return await this.configurations.read(caller, (stored) => {
      const { definition } = findRow(stored, systems, id);
      // Sound: the row is a system.
      const { kind, settings } = definition as SystemDefinition;
      const items = capabilitiesOf(kind, settings).map((name: Capability) => ({ name, means: capabilities[name] }));
      return { items };
    });
  }

  @Endpoint({
    ...{ method: 'get', path: 'inquiries/{inquiryId}', operationId: 'getInquiry', tag: 'Systems', may: 'inquiry:read' },
    summary: 'Look at what a system answered',
    description: 'Kept for an hour, and shown to who asked.',
    parameters: { inquiryId: 'The inquiry.' },
    replies: [{ status: 200, type: InquiryView, description: 'Question and answer.' }],
  })
  async look(@CurrentCaller() caller: Caller, @Param('inquiryId') id: string): Promise<Plain<InquiryView>> {
    return await this.asking.look(caller, id);
  }

  private async systemNamed(caller: Caller, id: string): Promise<string> {
    return await this.configurations.read(caller, (stored) => {
      const row = findRow(stored, systems, id);
      refuseArchived(systems, row);
      return row.name;
    });
  }
}
