import { OmitType } from '@nestjs/swagger';
import { InstitutionBody } from '../configuration/institution.controller.js';

/** An institution to make. Its organisations are named when their entity type is configured. */
export class CreateInstitutionBody extends OmitType(InstitutionBody, ['visibility'] as const) {}
