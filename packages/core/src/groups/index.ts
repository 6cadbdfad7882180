export { computeGroup, groupOrder } from './new-group.ts';
export {
  type PlacementGroupState,
  placementGroupAt,
  requestPlacementGroup,
} from './request-group.ts';
export { isGroupWanted } from './wanted.ts';
